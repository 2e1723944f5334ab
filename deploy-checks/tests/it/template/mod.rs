//! Invariants of template.yaml: no message or change is lost, permissions are minimal, and every function's environment
//! holds the variables that it reads.

mod alarms;
mod environment;
mod mappings;
mod media;
mod permissions;
mod resources;
mod timing;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use deploy_checks::{Function, Template, referent};
use serde_json::Value;

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

/// The interval of a function's schedule, if it has one.
fn interval(function: &Function<'_>) -> Option<Duration> {
    let events = function.properties()["Events"].as_object()?;
    let schedule = events.values().find_map(|event| event["Properties"]["Schedule"].as_str())?;
    assert_eq!(schedule, "rate(1 minute)", "{}: this check supports only this rate", function.name);
    Some(Duration::from_mins(1))
}
