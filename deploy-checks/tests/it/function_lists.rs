//! Lists of functions that are kept by hand name every function of the template.

use std::{fs, path::Path};

use deploy_checks::Template;
use serde_json::Value;

fn text_of(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap()
}

fn template() -> Template {
    Template::parse(&text_of("template.yaml")).unwrap()
}

/// The part of a file that begins after `opening` and ends before the next `closing`.
fn list(file: &str, opening: &str, closing: &str) -> String {
    let text = text_of(file);
    let (_, list) = text.split_once(opening).unwrap_or_else(|| panic!("{file} has no `{opening}`"));
    list.split_once(closing).unwrap_or_else(|| panic!("{file}: the list does not end")).0.to_owned()
}

#[test]
fn each_script_lists_every_function() {
    for (file, opening, closing) in [
        ("scripts/check-features", "for function in ", ";"),
        ("scripts/measure-functions", "\nFUNCTIONS = [", "]"),
        ("e2e/stack.py", "\nFUNCTIONS = {", "}"),
    ] {
        let list = list(file, opening, closing);
        for function in template().functions() {
            assert!(list.contains(function.code()), "{file} does not list {}", function.code());
        }
    }
    let answers = list("e2e/cloud.py", "    answers = {\n", "\n    }\n");
    for function in template().functions() {
        assert!(
            answers.contains(&format!("\"{}\":", function.name)),
            "e2e/cloud.py expects no answer of {}",
            function.name
        );
    }
}

#[test]
fn the_dashboard_shows_every_function() {
    let template = template();
    let body = template.properties("Dashboard")["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let widgets = body["widgets"].as_array().unwrap();
    for metric in ["ConcurrentExecutions", "Errors", "Throttles"] {
        let shown = widgets.iter().map(|widget| &widget["properties"]["metrics"]);
        let shown = shown.filter(|metrics| metrics[0][0] == "AWS/Lambda" && metrics[0][1] == metric);
        let shown: String = shown.map(Value::to_string).collect();
        for function in template.functions() {
            assert!(shown.contains(&format!("\"${{{}}}\"", function.name)), "{metric} of {}", function.name);
        }
    }
}
