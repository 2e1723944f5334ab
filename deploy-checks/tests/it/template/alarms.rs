//! Alarms: each kind of failure has one, each can fire, each is heard.

use std::collections::BTreeSet;

use deploy_checks::referent;
use serde_json::{Value, json};
use telemetry::names;

use super::{AUTH, FEED, SOCIAL, interval, set, template};

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
    assert_eq!(watched("ApproximateNumberOfMessagesVisible"), set(&["PostDLQ", "JobDLQ", "ChangeDLQ", "MediaDLQ"]));
    assert_eq!(watched("ApproximateAgeOfOldestMessage"), set(&["PostQ", "JobQ", "ChangeQ", "MediaQ"]));
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
