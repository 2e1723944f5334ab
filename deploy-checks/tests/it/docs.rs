//! The documentation of a deployment is correct, and its commands work.

use std::{collections::BTreeSet, fs, path::Path};

use aws::config::{queue_variable, table_variable};
use deploy_checks::Template;
use ports::{queue::QueueName, store::Table};

fn text_of(document: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document)).unwrap()
}

fn template() -> Template {
    Template::parse(&text_of("template.yaml")).expect("template.yaml is read")
}

/// The alarms with a row in docs/operations.md: the names in the first cells of its table.
fn explained_alarms(operations: &str) -> BTreeSet<&str> {
    let (_, table) = operations.split_once("| alarm |").expect("docs/operations.md has a table of alarms");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let first_cells = rows.filter_map(|row| row.split('|').nth(1));
    first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_alarm_is_explained() {
    let alarms = template();
    let alarms: BTreeSet<&str> = alarms.resources_of_type("AWS::CloudWatch::Alarm").into_iter().collect();
    assert_eq!(explained_alarms(&text_of("docs/operations.md")), alarms);
}

#[test]
fn every_output_named_in_the_docs_exists() {
    let template = template();
    let outputs = template.0["Outputs"].as_object().unwrap();
    for document in ["README.md", "docs/operations.md"] {
        let text = text_of(document);
        for after in text.split("output ").skip(1).chain(text.split("OutputKey=='").skip(1)) {
            let name: String = after.chars().take_while(char::is_ascii_alphanumeric).collect();
            let is_name = name.starts_with(|letter: char| letter.is_ascii_uppercase());
            assert!(!is_name || outputs.contains_key(&name), "{document}: {name} is no output");
        }
    }
}

/// docs/operations.md derives variables from outputs by this rule.
#[test]
fn outputs_name_every_queue_and_table() {
    let template = template();
    let variables: BTreeSet<String> =
        template.0["Outputs"].as_object().unwrap().keys().filter_map(|output| variable(output)).collect();
    let queues = QueueName::ALL.map(queue_variable);
    let tables = Table::ALL.map(table_variable);
    assert_eq!(variables, queues.into_iter().chain(tables).map(str::to_owned).collect());
}

fn variable(output: &str) -> Option<String> {
    let queue = output.strip_suffix("Url").filter(|name| name.ends_with('Q'));
    let queue = queue.map(|name| format!("TWEETER_{}_URL", name.to_uppercase()));
    queue.or_else(|| Some(format!("TWEETER_{}_TABLE", output.strip_suffix("Table")?.to_uppercase())))
}
