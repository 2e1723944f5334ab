"""Adjustments to a deployed stack for ministack's differences from AWS. Each setting is correct in template.yaml."""

import secrets

from stack import FUNCTIONS, PARAMETERS

# Actions that also permit their batch form on AWS. ministack requires an action named after the batch, which AWS lacks.
BATCHED = ("sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")


def close(emulator, stack):
    make_the_secret_what_the_template_says(emulator, stack)
    make_concurrencies_numbers(emulator, stack)
    for function in FUNCTIONS:
        allow_batches(stack, function)


def make_the_secret_what_the_template_says(emulator, stack):
    """ministack ignores `ExcludePunctuation` and `ExcludeUppercase`, so the secret it generates is not hexadecimal."""
    manager = emulator.client("secretsmanager")
    # Two versions, because the functions read the previous one, too.
    for _ in ("AWSPREVIOUS", "AWSCURRENT"):
        manager.put_secret_value(SecretId=stack.outputs["SigningSecretArn"], SecretString=secrets.token_hex(32))


def make_concurrencies_numbers(emulator, stack):
    """ministack keeps a number from a parameter as text, and its queue poller fails when it compares that."""
    client = emulator.client("lambda")
    for function, queue, parameter in (
        ("FollowFetcher", "PostQ", "FollowFetcherConcurrency"),
        ("JobHandler", "JobQ", "JobHandlerConcurrency"),
        ("StreamHandler", "ChangeQ", "ChangeQConcurrency"),
        ("MediaHandler", "MediaQ", "MediaQConcurrency"),
    ):
        concurrency = {"MaximumConcurrency": PARAMETERS[parameter]}
        client.update_event_source_mapping(UUID=stack.resources[f"{function}{queue}"], ScalingConfig=concurrency)


def allow_batches(stack, function):
    """Adds the batch actions that the policy already permits on AWS, under ministack's names."""
    policy = stack.policy(function)
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        statement["Action"] = actions + [f"{action}Batch" for action in actions if action in BATCHED]
    stack.put_policy(function, policy)
