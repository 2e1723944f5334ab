//! Every function is deployed with the variables that it reads, and with logs and traces.

use std::{cell::RefCell, collections::BTreeSet, fs};

use deploy_checks::referent;
use serde_json::json;
use telemetry::LOG_FILTER_VARIABLE;

use super::{repository, set, template};

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
        "media-handler" => drop(media_handler::NEEDS.read(&find).unwrap()),
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
