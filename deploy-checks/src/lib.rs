//! `template.yaml` for tests, which compare the deployment with the deployed code.
//!
//! - [`Template`]: the file, with the short forms of `CloudFormation` (`!Ref Feed`) expanded (`{"Ref": "Feed"}`).
//! - [`Function`], [`Statement`]: the permissions and the environment of a function.
//! - [`policy`]: the comparison of a function's permissions with its requests.

pub mod policy;

use std::{collections::BTreeSet, fmt, path::Path};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// An error in reading a template.
#[derive(Debug)]
pub enum TemplateError {
    /// The file cannot be read.
    Unreadable(std::io::Error),
    /// The file is not YAML.
    Malformed(saphyr::ScanError),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable(_) => "the template cannot be read",
            Self::Malformed(_) => "the template is not YAML",
        })
    }
}

impl std::error::Error for TemplateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            Self::Malformed(error) => Some(error),
        }
    }
}

/// A template. An absent path yields `null`, as in [`serde_json::Value`].
#[derive(Debug, Clone)]
pub struct Template(pub Value);

impl Template {
    /// Reads the template in a file.
    pub fn read(path: &Path) -> Result<Self, TemplateError> {
        Self::parse(&std::fs::read_to_string(path).map_err(TemplateError::Unreadable)?)
    }

    /// Parses a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let documents = Yaml::load_from_str(text).map_err(TemplateError::Malformed)?;
        Ok(Self(documents.first().map(long_form).unwrap_or_default()))
    }

    /// A resource's `Properties`.
    pub fn properties(&self, resource: &str) -> &Value {
        &self.0["Resources"][resource]["Properties"]
    }

    /// The names of all resources of this type.
    pub fn resources_of_type(&self, resource_type: &str) -> Vec<&str> {
        let resources = self.0["Resources"].as_object().into_iter().flatten();
        resources.filter(|(_, resource)| resource["Type"] == resource_type).map(|(name, _)| name.as_str()).collect()
    }

    /// The function that serves a route.
    fn function_behind(&self, route: &Value) -> Option<&str> {
        let target = route["Target"]["Fn::Sub"].as_str()?;
        let integration = target.strip_prefix("integrations/${")?.strip_suffix('}')?;
        referent(&self.properties(integration)["IntegrationUri"])
    }

    /// All functions.
    pub fn functions(&self) -> Vec<Function<'_>> {
        let names = self.resources_of_type("AWS::Serverless::Function");
        names.into_iter().map(|name| Function { template: self, name }).collect()
    }
}

/// A function of a template.
#[derive(Debug, Clone, Copy)]
pub struct Function<'a> {
    template: &'a Template,
    /// The name of the resource.
    pub name: &'a str,
}

impl<'a> Function<'a> {
    /// The function's `Properties`.
    pub fn properties(&self) -> &'a Value {
        self.template.properties(self.name)
    }

    /// The folder of the function's crate.
    pub fn code(&self) -> &'a str {
        self.properties()["CodeUri"].as_str().unwrap_or_default()
    }

    /// The environment variables set on the function, including the global ones.
    pub fn variables(&self) -> BTreeSet<&'a str> {
        let of_all = &self.template.0["Globals"]["Function"];
        let own_and_shared = [of_all, self.properties()].map(|of| of["Environment"]["Variables"].as_object());
        own_and_shared.into_iter().flatten().flat_map(Map::keys).map(String::as_str).collect()
    }

    /// The properties of each event source mapping of a queue.
    pub fn mappings(&self) -> Vec<&'a Value> {
        let events = self.properties()["Events"].as_object().into_iter().flatten();
        events.filter(|(_, event)| event["Type"] == "SQS").map(|(_, event)| &event["Properties"]).collect()
    }

    /// The properties of each event source mapping of a change stream.
    pub fn stream_mappings(&self) -> Vec<&'a Value> {
        let events = self.properties()["Events"].as_object().into_iter().flatten();
        events.filter(|(_, event)| event["Type"] == "DynamoDB").map(|(_, event)| &event["Properties"]).collect()
    }

    /// The function's role.
    pub fn role(&self) -> Option<&'a str> {
        referent(&self.properties()["Role"])
    }

    /// The API routes that the function serves, such as `POST /v1/posts` or `$default`.
    pub fn routes(&self) -> Vec<&'a str> {
        let routes = self.template.resources_of_type("AWS::ApiGatewayV2::Route").into_iter();
        let routes = routes.map(|route| self.template.properties(route));
        let own = routes.filter(|route| self.template.function_behind(route) == Some(self.name));
        own.filter_map(|route| route["RouteKey"].as_str()).collect()
    }

    /// The statements of the policies of the function's role.
    pub fn statements(&self) -> Vec<Statement<'a>> {
        let policies = self.role().map(|role| &self.template.properties(role)["Policies"]);
        let policies = policies.and_then(Value::as_array).into_iter().flatten();
        policies.flat_map(|policy| each(&policy["PolicyDocument"]["Statement"])).map(Statement).collect()
    }

    /// The actions of a service, such as `Query` of `dynamodb`, that the function is allowed on a resource of the
    /// template.
    pub fn actions_on(&self, service: &str, resource: &str) -> BTreeSet<&'a str> {
        let on_it = self.statements().into_iter().filter(|statement| statement.targets().contains(&Some(resource)));
        let actions = on_it.flat_map(|statement| statement.actions());
        actions.filter_map(|action| action.strip_prefix(service)?.strip_prefix(':')).collect()
    }
}

/// One statement of a policy.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a>(pub &'a Value);

impl<'a> Statement<'a> {
    /// The allowed actions, such as `sqs:SendMessage`.
    pub fn actions(&self) -> Vec<&'a str> {
        each(&self.0["Action"]).filter_map(Value::as_str).collect()
    }

    /// The resources, as written in the template.
    pub fn resources(&self) -> Vec<&'a Value> {
        each(&self.0["Resource"]).collect()
    }

    /// The names of the resources in the template; `None` for a resource that is not a reference.
    pub fn targets(&self) -> Vec<Option<&'a str>> {
        self.resources().into_iter().map(referent).collect()
    }

    /// The partition keys of DynamoDB items to which the statement is restricted. `None` if it is not.
    pub fn leading_keys(&self) -> Option<Vec<&'a str>> {
        let operators = self.0["Condition"].as_object().into_iter().flatten();
        let keys = operators.filter_map(|(_, operands)| operands.get("dynamodb:LeadingKeys"));
        let keys: Vec<_> = keys.flat_map(each).filter_map(Value::as_str).collect();
        (!keys.is_empty()).then_some(keys)
    }
}

/// The bucket of objects, and the pattern of their keys: `${Bucket.Arn}/prefix/*`.
pub fn objects(value: &Value) -> Option<(&str, &str)> {
    value["Fn::Sub"].as_str()?.strip_prefix("${")?.split_once(".Arn}/")
}

/// The resource or parameter that `Ref` or `Fn::GetAtt` names, or the bucket of objects. A table's change stream is
/// distinct from the table: `Table.StreamArn`.
pub fn referent(value: &Value) -> Option<&str> {
    let attribute = || {
        let named = value["Fn::GetAtt"].as_str()?;
        let (resource, attribute) = named.split_once('.')?;
        Some(if attribute == "StreamArn" { named } else { resource })
    };
    value["Ref"].as_str().or_else(attribute).or_else(|| objects(value).map(|(bucket, _)| bucket))
}

/// The values of a list, or the single value where `CloudFormation` accepts either.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter(|value| !value.is_null())
}

fn long_form(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Tagged(tag, node) => match tag.suffix.as_str() {
            name @ ("Ref" | "Condition") => json!({ name: long_form(node) }),
            name => json!({ format!("Fn::{name}"): long_form(node) }),
        },
        Yaml::Mapping(entries) => entries.iter().map(|(key, value)| (text(key), long_form(value))).collect(),
        Yaml::Sequence(items) => items.iter().map(long_form).collect(),
        Yaml::Value(Scalar::Boolean(truth)) => json!(truth),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        _ => Value::Null,
    }
}

fn text(key: &Yaml<'_>) -> String {
    key.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_read_as_long_ones() {
        let template = Template::parse("{a: !Ref B, c: !GetAtt D.Arn, e: !If [F, 1, !Ref AWS::NoValue]}").unwrap();
        let long = json!({"a": {"Ref": "B"}, "c": {"Fn::GetAtt": "D.Arn"}, "e": {"Fn::If": ["F", 1, {"Ref": "AWS::NoValue"}]}});
        assert_eq!(template.0, long);
        assert_eq!(referent(&template.0["a"]), Some("B"));
        assert_eq!(referent(&template.0["c"]), Some("D"));
    }

    #[test]
    fn yaml_aliases_are_resolved() {
        let template = Template::parse("{a: &x [!Ref B, 1], c: *x}").unwrap();
        assert_eq!(template.0["a"], template.0["c"]);
        assert_eq!(template.0["c"], json!([{"Ref": "B"}, 1]));
    }
}

#[cfg(test)]
extern crate self as deploy_checks;
#[cfg(test)]
#[path = "../tests/it/main.rs"]
mod it;
