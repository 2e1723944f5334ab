//! Invariants of template.yaml: no message or change is lost, permissions are minimal, and every function's environment
//! holds the variables that it reads.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, http::StatusCode, middleware::map_request, routing};
use deploy_checks::{Function, Template, referent};
use domain::{Clock, limits};
use embedded::{EmbeddedStore, Engine, EngineOptions};
use http_api::{
    HttpOptions,
    conventions::{ANSWER_MARGIN, REQUEST_TIMEOUT},
    with_conventions,
};
use lambda::function;
use lambda_runtime::Context;
use ports::{
    changes::STREAMED_PREFIXES,
    store::{Store, Table},
};
use serde_json::{Value, json};
use telemetry::{LOG_FILTER_VARIABLE, names};
use tower::ServiceExt as _;

const AUTH: &str = "AuthTable";
const SOCIAL: &str = "SocialTable";
const FEED: &str = "FeedTable";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn template() -> Template {
    Template::read(&repository().join("template.yaml")).expect("template.yaml is read")
}

fn function<'a>(template: &'a Template, code: &str) -> Function<'a> {
    let found = template.functions().into_iter().find(|function| function.code() == code);
    found.unwrap_or_else(|| panic!("no function is built from {code}"))
}

/// Each event source mapping of a queue: the function, the mapping, the queue's name.
fn mappings(template: &Template) -> Vec<(Function<'_>, &Value, &str)> {
    let functions = template.functions().into_iter();
    functions
        .flat_map(|function| function.mappings().into_iter().map(move |mapping| (function, mapping)))
        .map(|(function, mapping)| (function, mapping, referent(&mapping["Queue"]).expect("a mapping names its queue")))
        .collect()
}

fn set<'a>(names: &[&'a str]) -> BTreeSet<&'a str> {
    names.iter().copied().collect()
}

// --- No message or change is lost.

#[test]
fn batch_failures_are_reported_and_redelivered() {
    let template = template();
    let mapped: BTreeSet<&str> = mappings(&template).iter().map(|(_, _, queue)| *queue).collect();
    assert_eq!(mapped, set(&["PostQ", "JobQ", "ChangeQ"]));
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
    assert_eq!(sizes, BTreeMap::from([("PostQ", 1), ("JobQ", limits::MAX_QUEUE_BATCH as u64), ("ChangeQ", 1)]));
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

/// The timeout of a function.
fn timeout(function: &Function<'_>) -> Duration {
    Duration::from_secs(function.properties()["Timeout"].as_u64().unwrap())
}

#[test]
fn timeouts_leave_time_to_report_a_failure() {
    let template = template();
    for function in template.functions() {
        // One call with its retries while a table is slow, and the work after it.
        let needed = limits::LONGEST_CALL
            + match function.code() {
                "post-handler" | "status-api" => ANSWER_MARGIN,
                "outbox-sweeper" => limits::SWEEP_ERASURE_BUDGET,
                "stream-handler" => limits::STREAM_ERASURE_BUDGET + limits::LONGEST_CALL,
                "follow-fetcher" | "job-handler" => limits::GIVE_BACK_LIMIT,
                other => panic!("{other}: add the time that it needs after a slow call"),
            };
        assert!(timeout(&function) > needed, "{}: {:?} of {needed:?}", function.name, timeout(&function));
    }
    assert_eq!(timeout(&function(&template, "job-handler")).as_secs(), 10);
}

#[test]
fn function_timeouts_are_below_the_gateways() {
    let template = template();
    for function in template.functions().into_iter().filter(|function| !function.routes().is_empty()) {
        assert!(timeout(&function) <= REQUEST_TIMEOUT, "{}: {:?}", function.name, timeout(&function));
        let main = fs::read_to_string(repository().join(function.code()).join("src/main.rs")).unwrap();
        assert!(
            main.contains("function::with_deadline(request)"),
            "{} passes no deadline to its requests",
            function.name
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stuck_request_is_answered_before_the_timeout() {
    let template = template();
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(EngineOptions::at(directory.path())).unwrap();
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::new(engine.clone()));
    let stuck = Router::new().route("/stuck", routing::get(async || std::future::pending::<()>().await));
    let router = with_conventions(stuck, store, &HttpOptions::default())
        .layer(map_request(async |request: Request| function::with_deadline(request)));
    for function in template.functions().into_iter().filter(|function| !function.routes().is_empty()) {
        let mut invocation = Context::default();
        invocation.deadline = Clock::System.now().plus(timeout(&function)).as_millis();
        let mut request = Request::builder().uri("/stuck").body(Body::empty()).unwrap();
        request.extensions_mut().insert(invocation);
        let asked = tokio::time::Instant::now();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{}", function.name);
        let (took, timeout) = (asked.elapsed(), timeout(&function));
        assert!(took + ANSWER_MARGIN <= timeout, "{}: {took:?} of {timeout:?} on the paused clock", function.name);
        assert!(took > limits::LONGEST_CALL, "{}: {took:?} is too short for one slow call", function.name);
    }
    engine.close();
}

#[test]
fn slow_changes_are_dead_lettered_before_the_timeout() {
    let template = template();
    let timeout = function(&template, "stream-handler").properties()["Timeout"].as_u64().unwrap();
    let last_letter = limits::RETRY_BUDGET + limits::CALL_TIMEOUT;
    assert!(timeout > (limits::CHANGES_BATCH_BUDGET + last_letter).as_secs(), "{timeout} s");
}

#[test]
fn the_sweepers_schedule_matches_the_leases() {
    let template = template();
    let schedules = function(&template, "outbox-sweeper").properties()["Events"].clone();
    assert_eq!(limits::SWEEP_INTERVAL.as_secs(), 60);
    assert_eq!(schedules["EveryMinute"]["Properties"]["Schedule"], "rate(1 minute)");
}

#[test]
fn only_follow_fetcher_may_loop() {
    let template = template();
    let looping = template.functions().into_iter().filter(|function| !function.properties()["RecursiveLoop"].is_null());
    assert_eq!(looping.map(|function| function.code()).collect::<Vec<_>>(), ["follow-fetcher"]);
}

// --- Tables and queues.

#[test]
fn tables_are_retained_encrypted_and_recoverable() {
    let template = template();
    let tables = template.resources_of_type("AWS::DynamoDB::Table");
    assert_eq!(tables.iter().copied().collect::<BTreeSet<_>>(), set(&[AUTH, SOCIAL, FEED]));
    for table in tables {
        let resource = &template.0["Resources"][table];
        let kept = json!({"Fn::If": ["IsProd", "Retain", "Delete"]});
        assert_eq!((&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]), (&kept, &kept), "{table}");
        let properties = &resource["Properties"];
        assert_eq!(properties["DeletionProtectionEnabled"], json!({"Fn::If": ["IsProd", true, false]}), "{table}");
        assert_eq!(properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true, "{table}");
        assert_eq!(properties["SSESpecification"]["SSEEnabled"], true, "{table}");
        assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST", "{table}");
        assert_eq!(properties["TableName"], Value::Null, "{table}: a fixed name cannot be replaced");
    }
}

#[test]
fn tables_have_the_stores_keys_and_expiry() {
    let template = template();
    for (table, stored) in [(AUTH, Table::Auth), (SOCIAL, Table::Social), (FEED, Table::Feed)] {
        let properties = template.properties(table);
        let key = json!([{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}]);
        assert_eq!(properties["KeySchema"], key, "{table}");
        let expiry = json!({"AttributeName": ports::store::EXPIRES_AT, "Enabled": stored.expires()});
        assert_eq!(properties["TimeToLiveSpecification"], expiry, "{table}");
    }
    let feed = template.properties(FEED);
    let price_of_a_delivery =
        [&feed["GlobalSecondaryIndexes"], &feed["LocalSecondaryIndexes"], &feed["StreamSpecification"]];
    assert_eq!(price_of_a_delivery, [&Value::Null; 3], "an index or a stream would double the price of a delivery");
}

#[test]
fn every_queue_is_encrypted() {
    let template = template();
    for queue in template.resources_of_type("AWS::SQS::Queue") {
        assert_eq!(template.properties(queue)["SqsManagedSseEnabled"], true, "{queue}");
    }
}

// --- Permissions are minimal.

#[test]
fn no_policy_contains_a_wildcard() {
    let template = template();
    for function in template.functions() {
        assert!(!function.statements().is_empty(), "{}'s role has no inline statements", function.name);
        assert_eq!(
            template.properties(function.role().unwrap())["ManagedPolicyArns"],
            Value::Null,
            "{}",
            function.name
        );
        for statement in function.statements() {
            let text = statement.0.to_string();
            assert!(statement.actions().iter().all(|action| !action.contains('*')), "{}: {text}", function.name);
            let takes_no_arn = |action: &str| action.starts_with("xray:") || action == "dynamodb:ListStreams";
            let without_arn = statement.actions().into_iter().all(takes_no_arn);
            assert!(without_arn || statement.targets().iter().all(Option::is_some), "{}: {text}", function.name);
        }
    }
}

#[test]
fn every_function_has_its_own_role() {
    let template = template();
    let roles: BTreeSet<&str> = template.functions().iter().filter_map(Function::role).collect();
    assert_eq!(roles.len(), template.functions().len());
    assert_eq!(roles, template.resources_of_type("AWS::IAM::Role").into_iter().collect());
}

/// The action of a transaction that checks an item without writing it.
const CHECK: &str = "ConditionCheckItem";

/// Function, table, and the allowed actions. All others are denied.
const TABLE_ACTIONS: &[(&str, &str, &[&str])] = &[
    ("post-handler", SOCIAL, &["GetItem", "BatchGetItem", "PutItem", "UpdateItem"]),
    ("post-handler", FEED, &["PutItem"]),
    ("follow-fetcher", SOCIAL, &["GetItem", "Query", "UpdateItem", "DeleteItem"]),
    ("job-handler", FEED, &["BatchWriteItem"]),
    ("status-api", AUTH, &["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"]),
    ("status-api", SOCIAL, &["GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", CHECK]),
    ("status-api", FEED, &["GetItem", "Query", "BatchWriteItem", "DeleteItem"]),
    ("stream-handler", AUTH, &["Query", "DeleteItem"]),
    ("stream-handler", SOCIAL, &["GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", CHECK]),
    ("stream-handler", FEED, &["Query", "DeleteItem"]),
    ("outbox-sweeper", AUTH, &["Query", "DeleteItem"]),
    ("outbox-sweeper", SOCIAL, &["GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"]),
    ("outbox-sweeper", FEED, &["Query", "BatchWriteItem", "DeleteItem"]),
];

#[test]
fn table_permissions_are_exactly_as_listed() {
    let template = template();
    for function in template.functions() {
        for table in [AUTH, SOCIAL, FEED] {
            let listed = TABLE_ACTIONS.iter().find(|(code, of, _)| (*code, *of) == (function.code(), table));
            let expected = listed.map(|(_, _, actions)| set(actions)).unwrap_or_default();
            assert_eq!(function.actions_on("dynamodb", table), expected, "{} on {table}", function.name);
        }
    }
}

/// The actions of Lambda on a mapped queue, and of the handlers to return failed messages.
const TAKING: [&str; 5] =
    ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility", "SendMessage"];

/// Function, queue, and the allowed actions.
const QUEUE_ACTIONS: &[(&str, &str, &[&str])] = &[
    ("post-handler", "PostQ", &["SendMessage"]),
    ("follow-fetcher", "PostQ", &TAKING),
    ("follow-fetcher", "JobQ", &["SendMessage"]),
    ("job-handler", "JobQ", &TAKING),
    ("stream-handler", "ChangeQ", &TAKING),
    ("stream-handler", "ChangeDLQ", &["SendMessage"]),
    ("outbox-sweeper", "PostQ", &["SendMessage"]),
];

#[test]
fn queue_permissions_are_exactly_as_listed() {
    let template = template();
    for function in template.functions() {
        for queue in template.resources_of_type("AWS::SQS::Queue") {
            let listed = QUEUE_ACTIONS.iter().find(|(code, of, _)| (*code, *of) == (function.code(), queue));
            let expected = listed.map(|(_, _, actions)| set(actions)).unwrap_or_default();
            assert_eq!(function.actions_on("sqs", queue), expected, "{} on {queue}", function.name);
        }
    }
}

#[test]
fn auth_and_social_permissions_restrict_partition_keys() {
    let template = template();
    for function in template.functions() {
        for statement in function.statements() {
            let narrowed = statement.targets().iter().flatten().any(|target| [AUTH, SOCIAL].contains(target));
            assert!(!narrowed || statement.leading_keys().is_some(), "{}: {}", function.name, statement.0);
        }
    }
}

#[test]
fn only_token_readers_read_the_signing_secret() {
    let template = template();
    let readers = template.functions().into_iter();
    let readers = readers.filter(|function| !function.actions_on("secretsmanager", "SigningSecret").is_empty());
    assert_eq!(readers.map(|function| function.code()).collect::<BTreeSet<_>>(), set(&["post-handler", "status-api"]));
}

// --- Every function is deployed with the variables that it reads.

#[test]
fn every_function_crate_is_deployed() {
    let crates = fs::read_dir(repository()).unwrap().map(|entry| entry.unwrap().path());
    let functions: BTreeSet<String> = crates
        .filter(|path| fs::read_to_string(path.join("Cargo.toml")).is_ok_and(|it| it.contains("\nlambda = [")))
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let template = template();
    let deployed: BTreeSet<String> = template.functions().iter().map(|function| function.code().to_owned()).collect();
    assert_eq!(deployed, functions);
    for function in template.functions() {
        let build = &template.0["Resources"][function.name]["Metadata"]["BuildMethod"];
        assert_eq!(build, "rust-cargolambda", "{}", function.name);
    }
}

/// A lookup that records the requested variables and returns a valid value for each.
fn noting<'a>(asked: &'a RefCell<BTreeSet<&'static str>>) -> impl Fn(&'static str) -> Option<String> + 'a {
    |variable| {
        asked.borrow_mut().insert(variable);
        Some(match variable {
            "TWEETER_CORS_ORIGIN" => String::new(),
            "TWEETER_RATE_LIMITS" => "on".to_owned(),
            _ => "1".to_owned(),
        })
    }
}

/// The variables that a function reads, according to its `NEEDS`.
fn variables_read(code: &str) -> BTreeSet<&'static str> {
    let asked = RefCell::new(BTreeSet::from([LOG_FILTER_VARIABLE]));
    let find = noting(&asked);
    match code {
        "post-handler" => drop(post_handler::NEEDS.read(&find).unwrap()),
        "follow-fetcher" => drop(follow_fetcher::NEEDS.read(&find).unwrap()),
        "job-handler" => drop(job_handler::NEEDS.read(&find).unwrap()),
        "status-api" => drop(status_api::NEEDS.read(&find).unwrap()),
        "stream-handler" => drop(stream_handler::NEEDS.read(&find).unwrap()),
        "outbox-sweeper" => drop(outbox_sweeper::NEEDS.read(&find).unwrap()),
        other => panic!("{other} is missing from this match"),
    }
    drop(find);
    asked.into_inner()
}

#[test]
fn each_function_gets_exactly_its_variables() {
    let template = template();
    for function in template.functions() {
        assert_eq!(function.variables(), variables_read(function.code()), "{}", function.name);
    }
}

#[test]
fn functions_read_the_environment_only_through_needs() {
    for function in template().functions() {
        let sources = fs::read_dir(repository().join(function.code()).join("src")).unwrap();
        for path in sources.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains("env::"), "{} reads the environment outside its NEEDS", path.display());
        }
    }
}

#[test]
fn the_template_contains_no_secret() {
    let text = fs::read_to_string(repository().join("template.yaml")).unwrap();
    assert!(!text.contains("{{resolve:"));
    // 64 hexadecimal digits, the format that `TokenKeys` reads.
    let template = template();
    let generated = &template.properties("SigningSecret")["GenerateSecretString"];
    assert_eq!(generated["PasswordLength"], 64);
    let excluded = generated["ExcludeCharacters"].as_str().unwrap();
    let kept: String = ('0'..='9').chain('a'..='z').filter(|letter| !excluded.contains(*letter)).collect();
    assert_eq!(kept, "0123456789abcdef");
    assert_eq!((&generated["ExcludeUppercase"], &generated["ExcludePunctuation"]), (&json!(true), &json!(true)));
}

#[test]
fn every_function_has_json_logs_and_traces() {
    let template = template();
    assert_eq!(template.0["Globals"]["Function"]["Tracing"], "Active");
    for function in template.functions() {
        let logging = &function.properties()["LoggingConfig"];
        assert_eq!(logging["LogFormat"], "JSON", "{}", function.name);
        let group = referent(&logging["LogGroup"]).unwrap();
        assert_eq!(function.actions_on("logs", group), set(&["CreateLogStream", "PutLogEvents"]), "{}", function.name);
    }
    for group in template.resources_of_type("AWS::Logs::LogGroup") {
        assert_eq!(template.properties(group)["RetentionInDays"], json!({"Ref": "LogRetentionDays"}), "{group}");
    }
}

// --- Alarms.

#[test]
fn every_alarm_is_heard() {
    let template = template();
    for alarm in template.resources_of_type("AWS::CloudWatch::Alarm") {
        let topic = json!({"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]});
        let properties = template.properties(alarm);
        assert_eq!((&properties["AlarmActions"], &properties["OKActions"]), (&topic, &topic), "{alarm}");
    }
}

#[test]
fn every_kind_of_failure_has_an_alarm() {
    let template = template();
    let alarms = template.resources_of_type("AWS::CloudWatch::Alarm");
    let watched = |metric: &str| -> BTreeSet<&str> {
        let on_it = alarms.iter().map(|alarm| template.properties(alarm)).filter(|alarm| alarm["MetricName"] == metric);
        on_it.filter_map(|alarm| referent(&alarm["Dimensions"][0]["Value"])).collect()
    };
    assert_eq!(watched("ApproximateNumberOfMessagesVisible"), set(&["PostDLQ", "JobDLQ", "ChangeDLQ"]));
    assert_eq!(watched("ApproximateAgeOfOldestMessage"), set(&["PostQ", "JobQ", "ChangeQ"]));
    assert_eq!(watched("IteratorAge"), set(&["StreamHandler"]));
    assert_eq!(watched("WriteThrottleEvents"), set(&[AUTH, SOCIAL, FEED]));
    assert_eq!(watched("ReadThrottleEvents"), set(&[AUTH, SOCIAL, FEED]));
    let functions: BTreeSet<&str> = template.functions().iter().map(|function| function.name).collect();
    assert_eq!(watched("Errors"), functions);
    assert_eq!(watched("Throttles"), functions);
    let scheduled = template.functions().into_iter().filter(|function| interval(function).is_some());
    assert_eq!(watched("Invocations"), scheduled.map(|function| function.name).collect());
    assert_eq!(watched(names::FAN_OUT_SECONDS), set(&["JobHandler"]));
}

/// The interval of a function's schedule, if it has one.
fn interval(function: &Function<'_>) -> Option<Duration> {
    let events = function.properties()["Events"].as_object()?;
    let schedule = events.values().find_map(|event| event["Properties"]["Schedule"].as_str())?;
    assert_eq!(schedule, "rate(1 minute)", "{}: this check supports only this rate", function.name);
    Some(Duration::from_mins(1))
}

#[test]
fn alarms_can_fire_at_their_functions_rate() {
    let template = template();
    for name in template.resources_of_type("AWS::CloudWatch::Alarm") {
        let alarm = template.properties(name);
        let number = |field: &str| alarm[field].as_u64();
        let (period, periods) = (number("Period").unwrap(), number("EvaluationPeriods").unwrap());
        let needed = number("DatapointsToAlarm").unwrap_or(periods);
        assert!((1..=periods).contains(&needed), "{name}");
        let watched = alarm["Dimensions"].as_array().into_iter().flatten().filter_map(|it| referent(&it["Value"]));
        let watched: Vec<&str> = watched.collect();
        let scheduled = template.functions().into_iter().filter(|function| watched.contains(&function.name));
        for interval in scheduled.filter_map(|function| interval(&function)) {
            // A run may fall just outside a period, so one of the evaluated periods may be empty.
            assert!(interval.as_secs() <= period, "{name}: some periods have no run");
            assert!(
                needed < periods || alarm["TreatMissingData"] == "breaching",
                "{name}: an empty period would silence the alarm"
            );
        }
    }
}

#[test]
fn an_idle_sweeper_raises_an_alarm() {
    let template = template();
    let alarm = template.properties("OutboxSweeperIdle");
    assert_eq!(alarm["TreatMissingData"], "breaching", "an idle function sends no data");
    assert_eq!((&alarm["ComparisonOperator"], &alarm["Threshold"]), (&json!("LessThanThreshold"), &json!(1)));
    // A minute may pass without a run if the previous one was late.
    assert!(alarm["DatapointsToAlarm"].as_u64().unwrap() >= 3);
}

#[test]
fn gateway_refusals_are_counted_from_the_log() {
    let template = template();
    let filter = template.properties("GatewayThrottledRequests");
    assert_eq!(referent(&filter["LogGroupName"]), Some("ApiAccessLogs"));
    let pattern = filter["FilterPattern"].as_str().unwrap();
    assert_eq!(pattern, r#"{ ($.status = "429") && ($.integration_ms = "-") }"#);
    let format = template.properties("ApiStage")["AccessLogSettings"]["Format"].as_str().unwrap();
    let logged: Value = serde_json::from_str(format).expect("a line of the access log is JSON");
    assert_eq!(
        (&logged["status"], &logged["integration_ms"]),
        (&json!("$context.status"), &json!("$context.integrationLatency"))
    );
    let counted = &filter["MetricTransformations"][0];
    let alarm = template.properties("GatewayThrottled");
    assert_eq!((&counted["MetricNamespace"], &counted["MetricName"]), (&alarm["Namespace"], &alarm["MetricName"]));
    assert_eq!(alarm["Dimensions"], Value::Null, "the filter's metric has no dimensions");
}
