"""Schedules as source text, evaluated with PyTorch's names when recording and with ours when testing.

`opt` is SGD with two groups, learning rates 0.1 and 0.02, momentum 0.9; `adam` in a name means betas instead.
"""

LRS = (0.1, 0.02)
STEPS = 200

CASES = {
    "step": "StepLR(opt, 30)",
    "step_half": "StepLR(opt, step_size=7, gamma=0.5)",
    "step_up": "StepLR(opt, step_size=50, gamma=2.0)",
    "multistep": "MultiStepLR(opt, [20, 80, 150])",
    "multistep_twice_unsorted": "MultiStepLR(opt, milestones=[120, 30, 30], gamma=0.3)",
    "multistep_zero": "MultiStepLR(opt, milestones=[5, 10], gamma=0.9)",
    "exponential": "ExponentialLR(opt, 0.97)",
    "exponential_up": "ExponentialLR(opt, gamma=1.02)",
    "constant": "ConstantLR(opt)",
    "constant_long": "ConstantLR(opt, factor=0.25, total_iters=60)",
    "linear": "LinearLR(opt)",
    "linear_down": "LinearLR(opt, start_factor=1.0, end_factor=0.05, total_iters=150)",
    "linear_to_zero": "LinearLR(opt, start_factor=0.5, end_factor=0.0, total_iters=100)",
    "polynomial": "PolynomialLR(opt)",
    "polynomial_square": "PolynomialLR(opt, total_iters=180, power=2.0)",
    "polynomial_deeplab": "PolynomialLR(opt, total_iters=200, power=0.9)",
    "cosine": "CosineAnnealingLR(opt, T_max=200)",
    "cosine_floor": "CosineAnnealingLR(opt, T_max=100, eta_min=1e-3)",
    "cosine_waves": "CosineAnnealingLR(opt, T_max=23, eta_min=1e-4)",
    "cosine_one": "CosineAnnealingLR(opt, T_max=1)",
    "restarts": "CosineAnnealingWarmRestarts(opt, T_0=17)",
    "restarts_growing": "CosineAnnealingWarmRestarts(opt, T_0=9, T_mult=2, eta_min=1e-3)",
    "restarts_three": "CosineAnnealingWarmRestarts(opt, T_0=5, T_mult=3)",
    "lambda": "LambdaLR(opt, lambda t: 1 / (1 + 0.1 * t))",
    "lambda_each": "LambdaLR(opt, [lambda t: 0.95**t, lambda t: 0.5 + 0.5 * (t % 3)])",
    "multiplicative": "MultiplicativeLR(opt, lambda t: 0.98)",
    "multiplicative_each": "MultiplicativeLR(opt, [lambda t: t / (t + 1), lambda t: 1.0 if t % 9 else 0.8])",
    "one_cycle": "OneCycleLR(opt, max_lr=0.5, total_steps=200)",
    "one_cycle_adam": "OneCycleLR(opt, max_lr=0.5, total_steps=201)",
    "one_cycle_linear": "OneCycleLR(opt, max_lr=[0.5, 0.1], total_steps=200, anneal_strategy='linear')",
    "one_cycle_three": "OneCycleLR(opt, max_lr=0.5, total_steps=205, three_phase=True, pct_start=0.4)",
    "one_cycle_three_linear": (
        "OneCycleLR(opt, max_lr=0.5, epochs=20, steps_per_epoch=11, three_phase=True, anneal_strategy='linear')"
    ),
    "one_cycle_options": (
        "OneCycleLR(opt, max_lr=0.3, total_steps=210, pct_start=0.1, div_factor=10.0, final_div_factor=50.0, "
        "base_momentum=[0.7, 0.8], max_momentum=[0.9, 0.99])"
    ),
    "one_cycle_still": "OneCycleLR(opt, max_lr=0.3, total_steps=210, cycle_momentum=False, pct_start=0.0)",
    "cyclic": "CyclicLR(opt, base_lr=0.01, max_lr=0.2, step_size_up=20)",
    "cyclic_adam": "CyclicLR(opt, base_lr=0.01, max_lr=0.2, step_size_up=13, step_size_down=29)",
    "cyclic_two": "CyclicLR(opt, [0.01, 0.02], [0.2, 0.1], step_size_up=15, mode='triangular2')",
    "cyclic_range": "CyclicLR(opt, 0.01, 0.2, step_size_up=15, mode='exp_range', gamma=0.99)",
    "cyclic_own": "CyclicLR(opt, 0.01, 0.2, step_size_up=10, scale_fn=lambda x: 0.9**x, base_momentum=0.5)",
    "cyclic_own_iterations": (
        "CyclicLR(opt, 0.01, 0.2, 10, scale_fn=lambda x: 1 / (1 + x), scale_mode='iterations', max_momentum=0.95)"
    ),
    "cyclic_still": "CyclicLR(opt, 0.01, 0.2, step_size_up=10, cycle_momentum=False)",
    "swa": "SWALR(opt, swa_lr=0.05)",
    "swa_linear": "SWALR(opt, swa_lr=[0.5, 0.001], anneal_epochs=37, anneal_strategy='linear')",
    "swa_jump": "SWALR(opt, swa_lr=0.05, anneal_epochs=0)",
    "chain_constant_exponential": "ChainedScheduler([ConstantLR(opt, 0.1, 20), ExponentialLR(opt, 0.98)])",
    "chain_linear_cosine": "ChainedScheduler([LinearLR(opt, 0.1, 1.0, 10), CosineAnnealingLR(opt, T_max=200)])",
    "chain_cosine_floor": "ChainedScheduler([ExponentialLR(opt, 0.99), CosineAnnealingLR(opt, 60, eta_min=1e-3)])",
    "chain_cosine_waves": "ChainedScheduler([ExponentialLR(opt, 0.99), CosineAnnealingLR(opt, 40)])",
    "chain_waves_cosine": "ChainedScheduler([CosineAnnealingLR(opt, 40), StepLR(opt, 30, 0.5)])",
    "chain_three": (
        "ChainedScheduler([StepLR(opt, 40), MultiStepLR(opt, [15, 90], 0.5), MultiplicativeLR(opt, lambda t: 0.999)])"
    ),
    "chain_lambda_last": "ChainedScheduler([StepLR(opt, 40), LambdaLR(opt, lambda t: 0.99**t)])",
    "chain_lambda_first": "ChainedScheduler([LambdaLR(opt, lambda t: 0.99**t), ConstantLR(opt, 0.5, 50)])",
    "chain_polynomial_last": "ChainedScheduler([ExponentialLR(opt, 0.99), PolynomialLR(opt, 50, 1.5)])",
    "sequence": "SequentialLR(opt, [ConstantLR(opt, 0.1, 20), ExponentialLR(opt, 0.9)], milestones=[20])",
    "sequence_warm_cosine": "SequentialLR(opt, [LinearLR(opt, 0.01, 1.0, 10), CosineAnnealingLR(opt, 190)], [10])",
    "sequence_three": (
        "SequentialLR(opt, [LinearLR(opt, 0.5, 1.0, 30), StepLR(opt, 10, 0.7), "
        "CosineAnnealingWarmRestarts(opt, 20, eta_min=1e-4)], milestones=[30, 90])"
    ),
    "sequence_multiplicative": (
        "SequentialLR(opt, [ExponentialLR(opt, 0.95), MultiplicativeLR(opt, lambda t: 0.97 if t else 0.5)], [25])"
    ),
    "sequence_swa": "SequentialLR(opt, [CosineAnnealingLR(opt, 100), SWALR(opt, 0.03, 15)], milestones=[50])",
    "sequence_one_cycle": (
        "SequentialLR(opt, [OneCycleLR(opt, 0.5, total_steps=120), ExponentialLR(opt, 0.98)], milestones=[100])"
    ),
    "sequence_cyclic": "SequentialLR(opt, [ExponentialLR(opt, 0.9), CyclicLR(opt, 0.01, 0.1, 20)], milestones=[40])",
    "chain_of_sequence": (
        "ChainedScheduler([SequentialLR(opt, [LinearLR(opt, 0.2, 1.0, 20), ExponentialLR(opt, 0.98)], [20]), "
        "StepLR(opt, 60, 0.5)])"
    ),
}

# Two schedules made one after the other and stepped one after the other, without any class around them.
STACKS = {
    "stack_exponential_step": ("ExponentialLR(opt, 0.97)", "StepLR(opt, 25, 0.5)"),
    "stack_linear_cosine": ("LinearLR(opt, 0.1, 1.0, 15)", "CosineAnnealingLR(opt, 80, eta_min=1e-4)"),
    "stack_multistep_polynomial": ("MultiStepLR(opt, [10, 60], 0.3)", "PolynomialLR(opt, 150, 2.0)"),
}

# A rate changed by hand: (schedule, step after which every rate is multiplied by 0.5).
BY_HAND = {
    "hand_exponential": ("ExponentialLR(opt, 0.97)", 50),
    "hand_cosine": ("CosineAnnealingLR(opt, 150, eta_min=1e-3)", 50),
    "hand_linear": ("LinearLR(opt, 0.2, 1.0, 100)", 50),
    "hand_after_polynomial": ("PolynomialLR(opt, 100)", 50),
    "hand_swa": ("SWALR(opt, 0.05, 100)", 50),
    "hand_lambda": ("LambdaLR(opt, lambda t: 0.99**t)", 50),
}

PLATEAUS = {
    "plateau": {},
    "plateau_max": {"mode": "max", "factor": 0.5, "patience": 3},
    "plateau_abs": {"threshold_mode": "abs", "threshold": 0.05, "patience": 2, "factor": 0.7},
    "plateau_max_abs": {"mode": "max", "threshold_mode": "abs", "threshold": 0.02, "patience": 0, "factor": 0.9},
    "plateau_cooldown": {"patience": 2, "cooldown": 7, "factor": 0.6},
    "plateau_floor": {"patience": 1, "min_lr": [1e-3, 5e-3], "factor": 0.3},
    "plateau_eps": {"patience": 1, "factor": 0.5, "eps": 1e-3},
}


def metric(t):
    """A loss that falls, rattles, rises and is nan once; the same digits on every platform."""
    if t == 77:
        return float("nan")
    return round(2.0 / (1 + 0.05 * t) + 0.1 * ((t * 7919) % 13) / 13 + max(0.0, (t - 120) * 0.004), 6)
