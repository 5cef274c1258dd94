/* A policy on a microcontroller: its self-test, then the pole balanced in a closed loop, physics and all. */
#include "policy.h"
#include "startup.h"

#if POLICY_INPUT_SIZE != 4
#error "a policy for CartPole expected: it observes 4 numbers"
#endif

#define STEPS 500
#define DECISIONS 1000

typedef struct {
  float x, x_dot, angle, angle_dot;
} cart;

/* sin and cos of a few degrees: the loop ends beyond twelve. */
static float sine(float a) { return a * (1.0F - a * a / 6.0F * (1.0F - a * a / 20.0F)); }
static float cosine(float a) { return 1.0F - a * a / 2.0F * (1.0F - a * a / 12.0F); }

/* One step of 20 ms of CartPole (Barto, Sutton and Anderson 1983), Euler's way. */
static void step(cart* c, int32_t action) {
  const float force = action == 1 ? 10.0F : -10.0F;
  const float s = sine(c->angle), co = cosine(c->angle);
  const float push = (force + 0.05F * c->angle_dot * c->angle_dot * s) / 1.1F;
  const float turn = (9.8F * s - co * push) / (0.5F * (4.0F / 3.0F - 0.1F * co * co / 1.1F));
  const float move = push - 0.05F * turn * co / 1.1F;
  c->x += 0.02F * c->x_dot;
  c->x_dot += 0.02F * move;
  c->angle += 0.02F * c->angle_dot;
  c->angle_dot += 0.02F * turn;
}

static int stands(const cart* c) { return c->x > -2.4F && c->x < 2.4F && c->angle > -0.2094F && c->angle < 0.2094F; }

int main(void) {
  static policy_workspace workspace;
  const int wrong = policy_self_test(&workspace);
  if (wrong != 0) {
    print_number("self-test: vector ", (uint32_t)wrong);
    return 1;
  }
  print("self-test: passed\n");
  cart c = {0.03F, -0.02F, 0.04F, 0.01F};
  uint32_t steps = 0;
  for (; steps < STEPS && stands(&c); ++steps) {
    const float observation[POLICY_INPUT_SIZE] = {c.x, c.x_dot, c.angle, c.angle_dot};
    step(&c, policy_decide(observation, &workspace));
  }
  print_number("steps balanced: ", steps);
  const float last[POLICY_INPUT_SIZE] = {c.x, c.x_dot, c.angle, c.angle_dot};
  start_ticks();
  for (int i = 0; i < DECISIONS; ++i) (void)policy_decide(last, &workspace);
  print_number("SysTick ticks for 1,000 decisions: ", ticks());
  return steps == STEPS ? 0 : 1;
}
