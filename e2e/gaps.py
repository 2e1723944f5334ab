"""What has to be done to a deployed stack because ministack is not AWS. Each of these is right in template.yaml."""

import secrets

from stack import FUNCTIONS, PARAMETERS

# Actions whose batch form AWS allows with them. ministack asks for an action of the batch's name, which AWS does not have.
BATCHED = ("sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")


def close(emulator, stack):
    make_the_secret_what_the_template_says(emulator, stack)
    make_concurrencies_numbers(emulator, stack)
    for function in FUNCTIONS:
        allow_batches(stack, function)


def make_the_secret_what_the_template_says(emulator, stack):
    """ministack does not look at `ExcludePunctuation` and `ExcludeUppercase`, so what it generates is not hexadecimal."""
    manager = emulator.client("secretsmanager")
    # Two versions, because the previous one counts too.
    for _ in ("AWSPREVIOUS", "AWSCURRENT"):
        manager.put_secret_value(SecretId=stack.outputs["SigningSecretArn"], SecretString=secrets.token_hex(32))


def make_concurrencies_numbers(emulator, stack):
    """A number that comes from a parameter stays text, and ministack's poller of queues fails at comparing it."""
    client = emulator.client("lambda")
    for function, queue, parameter in (
        ("FollowFetcher", "PostQ", "FollowFetcherConcurrency"),
        ("JobHandler", "JobQ", "JobHandlerConcurrency"),
        ("StreamHandler", "ChangeQ", "ChangeQConcurrency"),
    ):
        concurrency = {"MaximumConcurrency": PARAMETERS[parameter]}
        client.update_event_source_mapping(UUID=stack.resources[f"{function}{queue}"], ScalingConfig=concurrency)


def allow_batches(stack, function):
    """Nothing but what the policy allows already, by the name that ministack has for it."""
    policy = stack.policy(function)
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        statement["Action"] = actions + [f"{action}Batch" for action in actions if action in BATCHED]
    stack.put_policy(function, policy)
