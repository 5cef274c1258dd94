// A cart with a pole, and the loop in which a policy balances it.

export const STEPS = 500;
const FALLEN = (12 * Math.PI) / 180;

export function start(random = Math.random) {
  const small = () => 0.1 * random() - 0.05;
  return { x: small(), xDot: small(), angle: small(), angleDot: small() };
}

export function stands({ x, angle }) {
  return Math.abs(x) < 2.4 && Math.abs(angle) < FALLEN;
}

// One step of 20 ms (Barto, Sutton and Anderson 1983), Euler's way.
export function step({ x, xDot, angle, angleDot }, action) {
  const force = action === 1 ? 10 : -10;
  const sine = Math.sin(angle);
  const cosine = Math.cos(angle);
  const push = (force + 0.05 * angleDot * angleDot * sine) / 1.1;
  const turn = (9.8 * sine - cosine * push) / (0.5 * (4 / 3 - (0.1 * cosine * cosine) / 1.1));
  const move = push - (0.05 * turn * cosine) / 1.1;
  return { x: x + 0.02 * xDot, xDot: xDot + 0.02 * move, angle: angle + 0.02 * angleDot, angleDot: angleDot + 0.02 * turn };
}

export function decide(policy, { x, xDot, angle, angleDot }) {
  return policy.run([x, xDot, angle, angleDot])[0];
}
