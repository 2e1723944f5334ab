//! The custom metrics that alarms and the dashboard read are sent by the functions under the same dimensions. Under any
//! other set of dimensions a metric has no data, and its alarm never fires.

use std::{collections::BTreeMap, fmt, path::Path};

use deploy_checks::{Template, referent};
use lambda::emf::{FUNCTION_NAME, NAMESPACE, PUBLISHED};
use serde_json::Value;

/// A metric as the template reads it.
struct Watched {
    /// The alarm or widget that reads the metric.
    by: String,
    name: String,
    /// Dimensions with their values; a reference to a resource as `${Resource}`.
    dimensions: BTreeMap<String, String>,
}

fn template() -> Template {
    Template::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")).expect("template.yaml is read")
}

fn text(value: &Value) -> String {
    match referent(value) {
        Some(resource) => format!("${{{resource}}}"),
        None => value.as_str().unwrap_or_default().to_owned(),
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} by {:?}", self.by, self.name, self.dimensions)
    }
}

/// The metrics of the project's namespace that alarms read.
fn watched_by_alarms(template: &Template) -> Vec<Watched> {
    let alarms = template.resources_of_type("AWS::CloudWatch::Alarm").into_iter();
    let alarms = alarms.map(|name| (name, template.properties(name)));
    let ours = alarms.filter(|(_, alarm)| alarm["Namespace"] == NAMESPACE);
    ours.map(|(by, alarm)| {
        let dimensions = alarm["Dimensions"].as_array().into_iter().flatten();
        Watched {
            by: by.to_owned(),
            name: text(&alarm["MetricName"]),
            dimensions: dimensions.map(|dimension| (text(&dimension["Name"]), text(&dimension["Value"]))).collect(),
        }
    })
    .collect()
}

/// The metrics of the project's namespace that dashboards read.
fn watched_by_dashboards(template: &Template) -> Vec<Watched> {
    let mut watched = Vec::new();
    for dashboard in template.resources_of_type("AWS::CloudWatch::Dashboard") {
        let body = template.properties(dashboard)["DashboardBody"]["Fn::Sub"].as_str().expect("the body is a text");
        let body: Value = serde_json::from_str(body).expect("the body is JSON");
        for widget in body["widgets"].as_array().expect("there are widgets") {
            let by = text(&widget["properties"]["title"]);
            let metrics = widget["properties"]["metrics"].as_array().into_iter().flatten();
            let mut before = Vec::new();
            for fields in metrics {
                before = written_out(fields, &before);
                if let [namespace, name, dimensions @ ..] = before.as_slice()
                    && namespace == NAMESPACE
                {
                    let dimensions = dimensions.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
                    watched.push(Watched { by: by.clone(), name: name.clone(), dimensions });
                }
            }
        }
    }
    watched
}

/// A metric's line in a dashboard, with the short forms expanded: `.` repeats the field above; `...` repeats all fields
/// above except those given after it.
fn written_out(fields: &Value, before: &[String]) -> Vec<String> {
    let fields: Vec<&str> = fields.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match fields.split_first() {
        Some((&"...", rest)) => {
            let kept = before.len() - rest.len();
            before[..kept].iter().cloned().chain(rest.iter().map(|&field| field.to_owned())).collect()
        }
        _ => fields
            .iter()
            .enumerate()
            .map(|(at, &field)| if field == "." { before[at].clone() } else { field.to_owned() })
            .collect(),
    }
}

fn watched(template: &Template) -> Vec<Watched> {
    let mut watched = watched_by_alarms(template);
    watched.extend(watched_by_dashboards(template));
    watched
}

#[test]
fn watched_metrics_have_the_published_dimensions() {
    let template = template();
    let functions: Vec<String> =
        template.functions().iter().map(|function| format!("${{{}}}", function.name)).collect();
    let watched = watched(&template);
    assert!(watched.len() >= 7, "the alarms and the dashboard were read");
    for watched in watched {
        let sent = PUBLISHED.iter().find(|metric| metric.name == watched.name);
        let sent = sent.unwrap_or_else(|| panic!("no function sends {watched}"));
        let mut dimensions = watched.dimensions.clone();
        let function = dimensions.remove(FUNCTION_NAME);
        assert!(
            function.is_some_and(|function| functions.contains(&function)),
            "not a function of the template: {watched}"
        );
        if let Some((label, values)) = sent.label {
            let value = dimensions.remove(label);
            assert!(
                value.is_some_and(|value| values.contains(&value.as_str())),
                "{label} is one of {values:?}: {watched}"
            );
        }
        assert!(dimensions.is_empty(), "the metric is sent without {dimensions:?}: {watched}");
    }
}

#[test]
fn every_published_metric_is_watched_or_for_queries() {
    // Rare events, queried only during an incident; see docs/operations.md.
    let for_queries = [
        "tweeter_authors_demoted_total",
        "tweeter_authors_promoted_total",
        "tweeter_fan_out_followers_skipped_total",
        "tweeter_feed_jobs_sent_total",
        "tweeter_outbox_swept_total",
    ];
    let template = template();
    let watched = watched(&template);
    for metric in PUBLISHED {
        let is_watched = watched.iter().any(|watched| watched.name == metric.name);
        assert!(is_watched != for_queries.contains(&metric.name), "{}", metric.name);
    }
}

#[test]
fn dashboard_short_forms_are_expanded() {
    let above: Vec<String> = ["Tweeter", "entries", "FunctionName", "a"].map(str::to_owned).to_vec();
    let read = |line: &str| written_out(&serde_json::from_str(line).unwrap(), &above).join(" ");
    assert_eq!(read(r#"["...", "b", {"stat": "p99"}]"#), "Tweeter entries FunctionName b");
    assert_eq!(read(r#"["...", {"stat": "p99"}]"#), "Tweeter entries FunctionName a");
    assert_eq!(read(r#"[".", "jobs", ".", "."]"#), "Tweeter jobs FunctionName a");
    assert_eq!(read(r#"["AWS/SQS", "Age"]"#), "AWS/SQS Age");
}
