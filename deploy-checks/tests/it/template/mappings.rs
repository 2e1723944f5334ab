//! No message or change is lost: event source mappings, dead-letter queues, batch sizes.

use std::collections::{BTreeMap, BTreeSet};

use deploy_checks::{Function, referent};
use domain::limits;
use ports::changes::STREAMED_PREFIXES;
use serde_json::{Value, json};

use super::{AUTH, FEED, SOCIAL, function, mappings, set, template};

#[test]
fn batch_failures_are_reported_and_redelivered() {
    let template = template();
    let mapped: BTreeSet<&str> = mappings(&template).iter().map(|(_, _, queue)| *queue).collect();
    assert_eq!(mapped, set(&["PostQ", "JobQ", "ChangeQ", "MediaQ"]));
    for (function, mapping, _) in mappings(&template) {
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{}", function.name);
    }
}

#[test]
fn the_stream_mapping_drops_no_change() {
    let template = template();
    let readers = template.functions().into_iter().filter(|function| !function.stream_mappings().is_empty());
    let readers: Vec<_> = readers.collect();
    assert_eq!(readers.iter().map(Function::code).collect::<Vec<_>>(), ["stream-handler"]);
    let mappings = readers[0].stream_mappings();
    assert_eq!(mappings.len(), 1, "two readers of the stream would count changes twice");
    let mapping = mappings[0];
    assert_eq!(referent(&mapping["Stream"]), Some("SocialTable.StreamArn"));
    assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    assert_eq!(mapping["BisectBatchOnFunctionError"], true, "bisecting finds the change that crashes the function");
    assert_eq!((&mapping["MaximumRetryAttempts"], &mapping["MaximumRecordAgeInSeconds"]), (&json!(-1), &json!(-1)));
    assert_eq!(mapping["StartingPosition"], "TRIM_HORIZON");
    assert_eq!(mapping["BatchSize"], limits::MAX_CHANGES);
    assert_eq!(template.properties(SOCIAL)["StreamSpecification"]["StreamViewType"], "NEW_AND_OLD_IMAGES");
    for table in [AUTH, FEED] {
        assert_eq!(template.properties(table)["StreamSpecification"], Value::Null, "{table}");
    }
}

#[test]
fn the_stream_filter_matches_the_streamed_prefixes() {
    let template = template();
    let mapping = function(&template, "stream-handler").stream_mappings()[0];
    let filters = mapping["FilterCriteria"]["Filters"].as_array().unwrap();
    assert_eq!(filters.len(), 1);
    let pattern: Value = serde_json::from_str(filters[0]["Pattern"].as_str().unwrap()).unwrap();
    let prefixes: Vec<Value> = STREAMED_PREFIXES.iter().map(|prefix| json!({"prefix": prefix})).collect();
    assert_eq!(pattern, json!({"dynamodb": {"Keys": {"PK": {"S": prefixes}}}}));
}

#[test]
fn only_the_streams_reader_reads_the_stream() {
    let template = template();
    for function in template.functions() {
        let expected = match function.code() {
            "stream-handler" => set(&["DescribeStream", "GetRecords", "GetShardIterator"]),
            _ => BTreeSet::new(),
        };
        assert_eq!(function.actions_on("dynamodb", "SocialTable.StreamArn"), expected, "{}", function.name);
    }
}

#[test]
fn visibility_timeouts_are_six_function_timeouts() {
    let template = template();
    for (function, _, queue) in mappings(&template) {
        let visibility = template.properties(queue)["VisibilityTimeout"].as_u64().unwrap();
        let timeout = function.properties()["Timeout"].as_u64().unwrap();
        assert!(visibility >= 6 * timeout, "{queue}: {visibility} s, {}: {timeout} s", function.name);
    }
}

#[test]
fn each_queue_has_its_own_dead_letter_queue() {
    let template = template();
    for (_, _, queue) in mappings(&template) {
        let redrive = &template.properties(queue)["RedrivePolicy"];
        assert_eq!(redrive["maxReceiveCount"], limits::MAX_RECEIVES);
        let dead_letters = template.properties(referent(&redrive["deadLetterTargetArn"]).unwrap());
        assert_eq!(dead_letters["MessageRetentionPeriod"], 14 * 24 * 3_600);
        let allowed = &dead_letters["RedriveAllowPolicy"];
        assert_eq!(allowed["redrivePermission"], "byQueue");
        // A reference to the source's ARN would be circular, so the ARN is built from its name.
        let name = template.properties(queue)["QueueName"]["Fn::Sub"].as_str().unwrap();
        let arn = format!("arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{name}");
        assert_eq!(allowed["sourceQueueArns"], json!([{ "Fn::Sub": arn }]));
    }
}

#[test]
fn concurrency_is_bounded_by_a_parameter() {
    let template = template();
    for (function, mapping, _) in mappings(&template) {
        let parameter = referent(&mapping["ScalingConfig"]["MaximumConcurrency"]).unwrap_or_default();
        let least = template.0["Parameters"][parameter]["MinValue"].as_u64();
        assert!(least.is_some_and(|least| least >= 2), "{}: Lambda takes 2 and more", function.name);
    }
}

#[test]
fn batch_sizes_match_the_handlers() {
    let template = template();
    let sizes: BTreeMap<&str, u64> = mappings(&template)
        .iter()
        .map(|(_, mapping, queue)| (*queue, mapping["BatchSize"].as_u64().unwrap()))
        .collect();
    let jobs = limits::MAX_QUEUE_BATCH as u64;
    assert_eq!(sizes, BTreeMap::from([("PostQ", 1), ("JobQ", jobs), ("ChangeQ", 1), ("MediaQ", 1)]));
}

#[test]
fn the_default_pull_threshold_is_the_codes() {
    let parameter = &template().0["Parameters"]["PullThreshold"];
    assert_eq!((&parameter["Default"], &parameter["MinValue"]), (&json!(limits::PULL_THRESHOLD), &json!(0)));
}

#[test]
fn followers_per_job_fit_one_batch_write() {
    let parameter = &template().0["Parameters"]["FollowersPerJob"];
    assert_eq!((&parameter["MinValue"], &parameter["MaxValue"]), (&json!(1), &json!(limits::FOLLOWERS_PER_JOB)));
}

#[test]
fn only_follow_fetcher_may_loop() {
    let template = template();
    let looping = template.functions().into_iter().filter(|function| !function.properties()["RecursiveLoop"].is_null());
    assert_eq!(looping.map(|function| function.code()).collect::<Vec<_>>(), ["follow-fetcher"]);
}
