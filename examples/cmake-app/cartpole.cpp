// Balances a pole with a policy, in a closed loop: cartpole policy.rlc [episodes]
// The physics are those of Gymnasium's CartPole-v1. Succeeds when every episode lasts all of its 500 steps.
#include <rlcompress/model.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "image.hpp"

namespace {

constexpr int full_episode = 500;

struct CartPole {
  double position, speed, angle, angular_speed;  // m, m/s, rad, rad/s

  explicit CartPole(unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> start(-0.05, 0.05);
    for (double* value : {&position, &speed, &angle, &angular_speed}) *value = start(random);
  }

  std::array<float, 4> observation() const {
    return {static_cast<float>(position), static_cast<float>(speed), static_cast<float>(angle),
            static_cast<float>(angular_speed)};
  }

  // Pushes right or left for a fiftieth of a second (explicit Euler).
  void step(bool right) {
    constexpr double gravity = 9.8, cart = 1.0, pole = 0.1, half_length = 0.5, push = 10.0, seconds = 0.02;
    const double force = right ? push : -push;
    const double sine = std::sin(angle), cosine = std::cos(angle);
    const double pulled = (force + pole * half_length * angular_speed * angular_speed * sine) / (cart + pole);
    const double turning =
        (gravity * sine - cosine * pulled) / (half_length * (4.0 / 3.0 - pole * cosine * cosine / (cart + pole)));
    const double moving = pulled - pole * half_length * turning * cosine / (cart + pole);
    position += seconds * speed;
    speed += seconds * moving;
    angle += seconds * angular_speed;
    angular_speed += seconds * turning;
  }

  bool over() const { return std::fabs(position) > 2.4 || std::fabs(angle) > 12 * 2 * 3.14159265358979 / 360; }
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return usage("cartpole policy.rlc [EPISODES]");
  std::vector<std::uint8_t> image;
  if (!read(arguments[1], image)) return unreadable(arguments[1]);
  const unsigned episodes = count > 2 ? static_cast<unsigned>(std::strtoul(arguments[2], nullptr, 10)) : 1;
  const auto model = rlcompress::Model::from_bytes(image);
  if (!model) return report(model.status());
  std::vector<std::uint8_t> workspace(model->workspace_bytes());

  unsigned balanced = 0;
  for (unsigned seed = 0; seed < episodes; ++seed) {
    CartPole cart(seed);
    int steps = 0;
    while (steps < full_episode && !cart.over()) {
      float action = 0.0F;
      const auto status = model->run(cart.observation(), {&action, 1}, workspace);
      if (status != rlcompress::Status::ok) return report(status);
      cart.step(action > 0.5F);
      ++steps;
    }
    std::printf("episode %u: %d steps\n", seed, steps);
    if (steps == full_episode) ++balanced;
  }
  return balanced == episodes ? 0 : 1;
}
