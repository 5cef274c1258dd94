"""Perceptrons of scikit-learn, there and back."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import rlcompress as rlc
from rlcompress.errors import ImportFormatError, InvalidValueError, UnsupportedError
from rlcompress.importers import as_network

neural = pytest.importorskip("sklearn.neural_network")
pipeline = pytest.importorskip("sklearn.pipeline")
scaling = pytest.importorskip("sklearn.preprocessing")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)) * [1, 20, 0.1, 3] + [0, 50, -2, 7]
SCORE = X[:, 0] + (X[:, 1] - 50) / 20
LABELS = np.array(["low", "mid", "top"])[np.digitize(SCORE, [-1, 1])]
SCALERS = ["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"]


def fitted(kind: str, y, *scalers, **settings):
    model = getattr(neural, kind)(
        max_iter=30, learning_rate_init=0.02, random_state=0, **{"hidden_layer_sizes": (9, 5), **settings}
    )
    if scalers:
        model = pipeline.make_pipeline(*scalers, model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stopped early on purpose
        return model.fit(X, y)


def told(network, x=X):
    """Labels that a network of a classifier tells."""
    return np.array(network.metadata["classes"])[rlc.Runtime(network)(x.astype(np.float32)).astype(int).ravel()]


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_classes(activation):
    model = fitted("MLPClassifier", LABELS, scaling.StandardScaler(), activation=activation)
    network = rlc.from_sklearn(model)
    assert network.widths == (4, 9, 5, 3)
    assert network.metadata["classes"] == ["low", "mid", "top"]
    assert (told(network) == model.predict(X)).all()
    assert len(set(model.predict(X))) > 1


@pytest.mark.parametrize("labels", [np.array([False, True]), np.array([3, 7]), np.array(["no", "yes"])])
def test_two_classes_get_two_outputs(labels):
    model = fitted("MLPClassifier", labels[(SCORE > 0).astype(int)], scaling.StandardScaler())
    network = rlc.from_sklearn(model)
    assert network.output_size == 2
    assert (told(network) == model.predict(X)).all()
    assert len(set(model.predict(X))) == 2
    raw = rlc.Network(network.layers, rlc.Contract((4,), rlc.Raw(), normalisation=network.contract.normalisation))
    powers = np.exp(rlc.Runtime(raw)(X.astype(np.float32)).astype(float))
    np.testing.assert_allclose(powers / powers.sum(1, keepdims=True), model.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("outputs", [1, 2])
def test_values(outputs):
    y = SCORE if outputs == 1 else np.column_stack([SCORE, -SCORE])
    model = fitted("MLPRegressor", y, scaling.MinMaxScaler((-1, 2)))
    network = rlc.from_sklearn(model)
    found = rlc.Runtime(network)(X.astype(np.float32)).reshape(len(X), -1)
    np.testing.assert_allclose(found, model.predict(X).reshape(len(X), -1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [*SCALERS, "centre alone", "several"])
def test_scalers_become_the_normalisation(name):
    steps = {
        "centre alone": [scaling.StandardScaler(with_std=False)],
        "several": [scaling.MinMaxScaler(), "passthrough", scaling.StandardScaler(with_mean=False)],
    }.get(name) or [getattr(scaling, name)()]
    model = fitted("MLPRegressor", SCORE, *steps)
    network = rlc.from_sklearn(model)
    np.testing.assert_allclose(
        rlc.Runtime(network)(X.astype(np.float32)).ravel(), model.predict(X), rtol=1e-3, atol=1e-3
    )
    assert rlc.from_sklearn(fitted("MLPRegressor", SCORE)).contract.normalisation is None


def test_the_way_back_predicts_the_same():
    for kind, y in (("MLPClassifier", LABELS), ("MLPClassifier", SCORE > 0), ("MLPRegressor", SCORE)):
        model = fitted(kind, y, scaling.StandardScaler())
        before = model.predict(X)
        again = rlc.to_sklearn(rlc.from_sklearn(model), like=model)
        assert np.array_equal(again.predict(X), before) or np.allclose(again.predict(X), before, rtol=1e-5, atol=1e-5)
        assert again is not model
        assert np.array_equal(model.predict(X), before)


def small(inputs: int, outputs: int, head, normalisation=None, selected=None, activation="tanh"):
    rng = np.random.default_rng(1)
    read = inputs if selected is None else len(selected)
    columns = list(range(inputs)) if selected is None else list(selected)
    weight, bias = rng.normal(size=(3, read)), rng.normal(size=3)
    if normalisation is None:  # the layer scales by itself
        weight = weight / X.std(0)[columns]
        bias = bias - weight @ X.mean(0)[columns]
    layers = (
        rlc.Dense(weight, bias, activation),
        rlc.Dense(rng.normal(size=(outputs, 3)), rng.normal(size=outputs)),
    )
    return rlc.Network(layers, rlc.Contract((inputs,), head, normalisation=normalisation, selected=selected))


@pytest.mark.parametrize("behind", [(), ("StandardScaler",), ("MinMaxScaler", "StandardScaler")])
@pytest.mark.parametrize("own", [False, True])
def test_smaller_networks_with_dropped_inputs_come_back(behind, own):
    like = fitted("MLPClassifier", LABELS, *(getattr(scaling, name)() for name in behind))
    own_scale = rlc.Normalisation(X.mean(0), X.std(0) * 2) if own else None
    network = small(4, 3, rlc.Argmax(), own_scale, (1, 3))
    made = rlc.to_sklearn(network, like=like)
    wanted = like.classes_[rlc.Runtime(network)(X.astype(np.float32)).astype(int).ravel()]
    assert np.mean(made.predict(X) == wanted) > 0.995  # float32 and float64 differ on ties
    assert len(set(wanted)) > 1
    perceptron = made if not behind else made[-1]
    assert [matrix.shape for matrix in perceptron.coefs_] == [(4, 3), (3, 3)]
    assert (perceptron.hidden_layer_sizes, perceptron.activation) == ((3,), "tanh")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        perceptron.partial_fit(X[:100], LABELS[:100])


def test_two_outputs_become_one_again_and_linear_networks_fit():
    like = fitted("MLPClassifier", SCORE > 0)
    network = small(4, 2, rlc.Argmax())
    made = rlc.to_sklearn(network, like=like)
    assert (made.predict(X) == told(network.with_metadata(classes=[False, True]))).all()
    flat = rlc.Network(network.layers[:1], rlc.Contract((4,), rlc.Raw()))
    flat = flat.with_layers([rlc.Dense(flat.layers[0].weight[:1], flat.layers[0].bias[:1])])
    regressor = rlc.to_sklearn(flat, like=fitted("MLPRegressor", SCORE))
    np.testing.assert_allclose(
        regressor.predict(X), rlc.Runtime(flat)(X.astype(np.float32)).ravel(), rtol=1e-3, atol=1e-3
    )


def test_what_no_perceptron_can_be():
    like = fitted("MLPRegressor", SCORE)
    with pytest.raises(InvalidValueError, match="4 inputs and 1 outputs"):
        rlc.to_sklearn(small(4, 2, rlc.Raw()), like=like)
    with pytest.raises(UnsupportedError, match="found silu"):
        rlc.to_sklearn(small(4, 1, rlc.Raw(), activation="silu"), like=like)
    with pytest.raises(UnsupportedError, match="clips"):
        rlc.to_sklearn(small(4, 1, rlc.Raw(), rlc.Normalisation(X.mean(0), X.std(0), 8.0)), like=like)


def test_other_estimators_are_refused_by_name():
    linear = pytest.importorskip("sklearn.linear_model")
    several = np.column_stack([SCORE > 0, SCORE > 1]).astype(int)
    for estimator, message in (
        (linear.LinearRegression(), "LinearRegression: not supported"),
        (fitted("MLPClassifier", several), "several labels"),
        (fitted("MLPRegressor", SCORE, scaling.PolynomialFeatures()), "PolynomialFeatures"),
        (fitted("MLPRegressor", SCORE, scaling.MinMaxScaler(clip=True)), r"clip=True"),
    ):
        with pytest.raises(UnsupportedError, match=message):
            rlc.from_sklearn(estimator)
    with pytest.raises(InvalidValueError, match="call fit first"):
        rlc.from_sklearn(neural.MLPClassifier())


def test_a_step_that_changes_the_width_is_named():
    from sklearn.preprocessing import PolynomialFeatures

    model = fitted("MLPRegressor", SCORE, scaling.StandardScaler(), PolynomialFeatures(2))
    with pytest.raises(UnsupportedError, match="step PolynomialFeatures"):
        rlc.from_sklearn(model)


def test_every_door_takes_them():
    model = fitted("MLPClassifier", LABELS, scaling.StandardScaler())
    assert as_network(model) == rlc.load_policy(model) == rlc.from_sklearn(model)
    with pytest.raises(InvalidValueError, match="normalisation"):
        rlc.load_policy(model, contract=rlc.Contract((4,), normalisation=rlc.Normalisation(X.mean(0), X.std(0))))
    shaped = rlc.load_policy(model, contract=rlc.Contract((2, 2), rlc.Raw()))
    assert shaped.contract.observation_shape == (2, 2)
    with pytest.raises(ImportFormatError, match="load_policy"):
        as_network("policy.zip")


def test_compress_takes_estimators_and_modules():
    torch = pytest.importorskip("torch")
    x = ((X - X.mean(0)) / X.std(0)).astype(np.float32)
    task = rlc.DatasetTask(x, np.unique(LABELS, return_inverse=True)[1])
    quick = rlc.PuRL(evaluations=5, pareto=0, search="none", agent_share=0.0, target_sparsity=0.5)
    warped = fitted("MLPClassifier", LABELS)
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    for teacher, widths in ((warped, (4, 9, 5, 3)), (module, (4, 8, 3))):
        result = rlc.compress(teacher, task, quick, jobs=1)
        assert result.teacher.network.widths == widths
    with pytest.raises(InvalidValueError, match="rows of 4 values, the network takes 9"):
        rlc.compress(torch.nn.Linear(9, 3), task, quick, jobs=1)
    with pytest.raises(InvalidValueError, match="teacher: a Network or one of"):
        rlc.compress("mlp.pt", task, quick, jobs=1)
