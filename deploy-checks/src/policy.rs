//! The comparison of policies with requests, as IAM evaluates them, for the few kinds of statements in the template.
//! Any other kind is an error, so that no policy is evaluated partially.

use std::{collections::BTreeSet, fmt};

use serde_json::Value;

use crate::{Function, Statement, objects, referent};

/// The condition key that holds the partition keys of the requested items.
const LEADING_KEYS: &str = "dynamodb:LeadingKeys";

/// A request for permission.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// The action, such as `dynamodb:GetItem`.
    pub action: String,
    /// The resource in the template; `*` for an action without a resource.
    pub resource: String,
    /// The partition keys of the items, or the keys of the objects.
    pub leading_keys: BTreeSet<String>,
}

/// The keys of items or objects to which a statement is restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys<'a> {
    /// No restriction.
    All,
    /// Keys that match a pattern, in which `*` matches any text and `?` any character.
    Like(&'a str),
    /// Exactly this key.
    Equal(&'a str),
}

impl Keys<'_> {
    /// Whether a key is among them.
    pub fn contain(self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Like(pattern) => is_like(key, pattern),
            Self::Equal(text) => key == text,
        }
    }
}

/// The smallest removable part of a policy: one action on one resource, for one pattern of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant<'a> {
    /// The index of the grant's statement in the policy.
    pub statement: usize,
    /// The allowed action.
    pub action: &'a str,
    /// The resource.
    pub resource: &'a str,
    /// The keys of the items.
    pub keys: Keys<'a>,
}

impl Grant<'_> {
    fn concerns(&self, request: &Request) -> bool {
        self.action == request.action && self.resource == request.resource
    }
}

/// A statement of an unsupported kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUnderstood {
    /// The statement.
    pub statement: String,
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unsupported kind of statement: {}", self.statement)
    }
}

impl std::error::Error for NotUnderstood {}

/// All permissions of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy<'a> {
    grants: Vec<Grant<'a>>,
}

impl<'a> Policy<'a> {
    /// The policy of a function's role.
    pub fn of(function: &Function<'a>) -> Result<Self, NotUnderstood> {
        let grants = function.statements().into_iter().enumerate().map(|(number, statement)| grants(number, statement));
        Ok(Self { grants: grants.collect::<Result<Vec<_>, _>>()?.concat() })
    }

    /// The policy's grants.
    pub fn grants(&self) -> &[Grant<'a>] {
        &self.grants
    }

    /// Whether one statement alone allows the whole request (`ForAllValues`).
    pub fn allows(&self, request: &Request) -> bool {
        let concerned: Vec<&Grant<'_>> = self.grants.iter().filter(|grant| grant.concerns(request)).collect();
        concerned.iter().any(|one| {
            let of_its_statement = || concerned.iter().filter(|grant| grant.statement == one.statement);
            request.leading_keys.iter().all(|key| of_its_statement().any(|grant| grant.keys.contain(key)))
        })
    }

    /// The requests that the policy denies.
    pub fn denied<'r>(&self, requests: &'r BTreeSet<Request>) -> Vec<&'r Request> {
        requests.iter().filter(|request| !self.allows(request)).collect()
    }

    /// The grants that can each be removed without denying any of these requests.
    pub fn unneeded(&self, requests: &BTreeSet<Request>) -> Vec<&Grant<'a>> {
        self.grants.iter().filter(|grant| !self.needs(grant, requests)).collect()
    }

    fn needs(&self, grant: &Grant<'_>, requests: &BTreeSet<Request>) -> bool {
        let without = Policy { grants: self.grants.iter().filter(|other| *other != grant).copied().collect() };
        requests.iter().any(|request| grant.concerns(request) && self.allows(request) && !without.allows(request))
    }
}

fn grants(number: usize, statement: Statement<'_>) -> Result<Vec<Grant<'_>>, NotUnderstood> {
    let not_understood = || NotUnderstood { statement: statement.0.to_string() };
    let keys = keys(statement).filter(|_| statement.0["Effect"] == "Allow").ok_or_else(not_understood)?;
    let mut grants = Vec::new();
    for resource in statement.resources() {
        // Of objects, the ARN restricts the keys.
        let keys = match objects(resource) {
            Some((_, pattern)) => vec![Keys::Like(pattern)],
            None => keys.clone(),
        };
        let resource = referent(resource).or(resource.as_str()).ok_or_else(not_understood)?;
        for action in statement.actions() {
            grants.extend(keys.iter().map(|keys| Grant { statement: number, action, resource, keys: *keys }));
        }
    }
    Ok(grants)
}

/// The keys to which a statement is restricted; `None` if its condition is of an unsupported kind.
fn keys(statement: Statement<'_>) -> Option<Vec<Keys<'_>>> {
    let condition = match &statement.0["Condition"] {
        Value::Null => return Some(vec![Keys::All]),
        condition => condition.as_object().filter(|condition| condition.len() == 1)?,
    };
    let (operator, operands) = condition.iter().next()?;
    let operands = operands.as_object().filter(|operands| operands.len() == 1)?;
    let texts = operands.get(LEADING_KEYS)?.as_array()?.iter().map(Value::as_str);
    match operator.as_str() {
        "ForAllValues:StringLike" => texts.map(|text| text.map(Keys::Like)).collect(),
        "ForAllValues:StringEquals" => texts.map(|text| text.map(Keys::Equal)).collect(),
        _ => None,
    }
}

fn is_like(text: &str, pattern: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).filter_map(|from| text.get(from..)).any(|rest| is_like(rest, letters.as_str())),
        Some(letter) => text.chars().next().is_some_and(|first| {
            (letter == '?' || letter == first) && is_like(&text[first.len_utf8()..], letters.as_str())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Template;

    /// A function whose role has these statements.
    fn template(statements: &str) -> Template {
        Template::parse(&format!(
            "{{Resources: {{
                F: {{Type: AWS::Serverless::Function, Properties: {{Role: !GetAtt R.Arn}}}},
                R: {{Type: AWS::IAM::Role, Properties: {{Policies: [{{PolicyDocument: {{Statement: [{statements}]}}}}]}}}}
            }}}}"
        ))
        .unwrap()
    }

    const NARROW: &str = r#"{Effect: Allow, Action: [get, put], Resource: !GetAtt T.Arn,
        Condition: {ForAllValues:StringLike: {dynamodb:LeadingKeys: ["A#*", "B#*"]}}}"#;

    fn request(action: &str, resource: &str, keys: &[&str]) -> Request {
        let leading_keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Request { action: action.to_owned(), resource: resource.to_owned(), leading_keys }
    }

    fn with_policy<T>(statements: &str, look: impl FnOnce(Result<Policy<'_>, NotUnderstood>) -> T) -> T {
        look(Policy::of(&template(statements).functions()[0]))
    }

    #[test]
    fn a_grant_covers_action_resource_and_every_key() {
        with_policy(NARROW, |policy| {
            let policy = policy.unwrap();
            assert!(policy.allows(&request("get", "T", &["A#1"])));
            assert!(policy.allows(&request("get", "T", &["A#1", "B#2"])));
            for denied in [
                request("scan", "T", &["A#1"]),
                request("get", "U", &["A#1"]),
                request("get", "T", &["C#1"]),
                request("get", "T", &["A#1", "C#1"]),
            ] {
                assert_eq!(policy.denied(&BTreeSet::from([denied.clone()])), [&denied]);
            }
        });
    }

    #[test]
    fn statements_do_not_combine_to_allow_a_request() {
        let apart = NARROW.replace(r#", "B#*""#, "") + "," + &NARROW.replace(r#""A#*", "#, "");
        with_policy(&apart, |policy| {
            let policy = policy.unwrap();
            assert!(policy.allows(&request("get", "T", &["A#1"])) && policy.allows(&request("get", "T", &["B#1"])));
            assert!(!policy.allows(&request("get", "T", &["A#1", "B#1"])));
        });
    }

    #[test]
    fn unused_grants_are_reported() {
        let asked = BTreeSet::from([request("get", "T", &["A#1", "B#1"]), request("put", "T", &["A#1"])]);
        with_policy(NARROW, |policy| {
            let policy = policy.unwrap();
            let unneeded: Vec<_> =
                policy.unneeded(&asked).into_iter().map(|grant| (grant.action, grant.keys)).collect();
            assert_eq!(unneeded, [("put", Keys::Like("B#*"))]);
        });
        let twice = format!("{NARROW}, {{Effect: Allow, Action: get, Resource: !GetAtt T.Arn}}");
        with_policy(&twice, |policy| {
            // If two statements allow a request, neither is needed.
            assert!(policy.unwrap().unneeded(&asked).iter().any(|grant| grant.keys == Keys::All));
        });
    }

    #[test]
    fn an_unsupported_statement_is_an_error() {
        for other in [
            NARROW.replace("Allow", "Deny"),
            NARROW.replace("ForAllValues:StringLike", "ForAnyValue:StringLike"),
            NARROW.replace("LeadingKeys", "Attributes"),
            NARROW.replace("!GetAtt T.Arn", "!Sub x"),
        ] {
            assert!(with_policy(&other, |policy| policy.is_err()), "{other}");
        }
    }

    #[test]
    fn wildcards_match_text_and_single_letters() {
        for (text, pattern) in [("A#1", "A#*"), ("A#", "A#*"), ("xAyB", "*A*B"), ("Aé", "A?"), ("", "*")] {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("B#1", "A#*"), ("A#1", "A#"), ("A", "A?"), ("xA", "A*")] {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
    }
}
