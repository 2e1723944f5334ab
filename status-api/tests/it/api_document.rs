//! `docs/api.md` against the description that the service publishes and against the code: routes, statuses, rate
//! limits, lengths, problems.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::RangeInclusive,
    path::Path,
};

use domain::limits;
use http::Method;
use serde_json::{Value, json};
use service::rates::Limit;

use crate::it::support::{Answer, TestApi, request};

/// Constants in the scanned sections of `limits.rs` that no client can observe.
const INTERNAL: [&str; 5] =
    ["MAX_REFRESH_STEPS", "SESSIONS_ENDED_PER_LOGIN", "LIVENESS_TTL", "LIVENESS_ENTRIES", "STREAM_CHECK_INTERVAL"];
/// Sections of `limits.rs` whose constants clients can observe.
const PUBLIC_SECTIONS: [&str; 2] = ["// --- Promises of the API", "// --- Live events"];

/// Numbers in the prose of operations that are neither limits nor statuses. `/healthz`: the seconds between two probes.
const OTHER_NUMBERS: [(&str, &str); 1] = [("GET /healthz", "2")];

fn text_of(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn description() -> Value {
    serde_json::to_value(status_api::description::openapi_document()).unwrap()
}

/// The cells of all rows of the tables whose header begins with `first_column`.
fn rows(markdown: &str, first_column: &str) -> Vec<Vec<String>> {
    let header = format!("| {first_column} |");
    let mut lines = markdown.lines();
    let mut rows = Vec::new();
    while lines.by_ref().any(|line| line.starts_with(&header)) {
        let table = lines.by_ref().skip(1).take_while(|line| line.starts_with('|'));
        rows.extend(table.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()));
    }
    assert!(!rows.is_empty(), "there is no table with the first column {first_column:?}");
    rows
}

fn in_backticks(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The operations of the description by `METHOD path`.
fn operations(description: &Value) -> BTreeMap<String, Value> {
    let paths = description["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation.clone()))
    });
    operations.collect()
}

/// The statuses of an operation beyond those that `docs/api.md` gives once for all routes of a kind.
fn own_statuses(operation: &Value) -> BTreeSet<String> {
    let mut common = vec!["500", "503"];
    if operation.get("security").is_some() {
        common.push("401");
    }
    if operation.get("requestBody").is_some() {
        common.extend(["400", "413", "415", "422"]);
    }
    if has_pages(operation) {
        common.extend(["400", "422"]);
    }
    let statuses = operation["responses"].as_object().unwrap().keys();
    statuses.filter(|status| !common.contains(&status.as_str())).cloned().collect()
}

fn has_pages(operation: &Value) -> bool {
    operation["parameters"].as_array().is_some_and(|all| all.iter().any(|parameter| parameter["name"] == "cursor"))
}

/// The text of the column "access" that fits an operation.
fn access(operation: &Value) -> &'static str {
    if operation.get("security").is_some() { "token" } else { "public" }
}

#[test]
fn documented_routes_are_the_described_ones() {
    let documented: BTreeMap<_, _> = rows(&text_of("docs/api.md"), "route")
        .into_iter()
        .map(|row| {
            let statuses: BTreeSet<_> = row[2].split(", ").map(str::to_owned).collect();
            (row[0].trim_matches('`').to_owned(), (row[1].clone(), statuses))
        })
        .collect();
    let described: BTreeMap<_, _> = operations(&description())
        .into_iter()
        .map(|(route, operation)| (route, (access(&operation).to_owned(), own_statuses(&operation))))
        .collect();
    assert_eq!(documented, described, "left: docs/api.md, right: the description");
}

/// The limits in a 429 response, which lists them one per line: name, then value.
fn described_rates(operation: &Value) -> BTreeMap<String, String> {
    let text = operation["responses"]["429"]["description"].as_str().unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn documented_rates_are_the_described_ones() {
    let mut described: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    for (route, operation) in operations(&description()) {
        if operation["responses"].get("429").is_none() {
            continue;
        }
        let rates = described_rates(&operation);
        assert!(!rates.is_empty(), "{route} answers 429 and names no limit: add it to description/rates.rs");
        for (name, value) in rates {
            let (described_value, routes) = described.entry(name).or_insert((value.clone(), BTreeSet::new()));
            assert_eq!(*described_value, value);
            routes.insert(route.clone());
        }
    }
    let documented: BTreeMap<_, _> = rows(&text_of("docs/api.md"), "rate limit")
        .into_iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), (row[1].clone(), in_backticks(&row[2]))))
        .collect();
    assert_eq!(documented, described, "left: docs/api.md, right: the 429 responses of the description");
    let enforced: BTreeSet<_> = Limit::ALL.iter().map(|limit| limit.name().to_owned()).collect();
    assert_eq!(documented.into_keys().collect::<BTreeSet<_>>(), enforced, "left: docs/api.md, right: Limit::ALL");
}

/// The whole numbers in a text, without separators of thousands.
fn numbers(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| letter != ',' && letter != '_' && !letter.is_ascii_alphanumeric());
    let words = words.map(|word| word.trim_matches(',').replace(',', ""));
    words.filter(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// A number in the prose of an operation goes stale silently when a limit changes, unless it is checked here.
#[test]
fn numbers_in_prose_are_limits_or_statuses() {
    let description = description();
    let limits = numbers(description["info"]["description"].as_str().unwrap());
    for (route, operation) in operations(&description) {
        let mut known = limits.clone();
        for (status, response) in operation["responses"].as_object().unwrap() {
            known.insert(status.clone());
            known.extend(numbers(response["description"].as_str().unwrap()));
        }
        let prose = operation["description"].as_str().unwrap_or_default();
        for number in numbers(prose).difference(&known) {
            assert!(OTHER_NUMBERS.contains(&(&*route, number)), "{route}: {number} is neither a limit nor a status");
        }
    }
}

#[test]
fn documented_limits_are_the_described_ones() {
    let described = description()["info"]["description"].as_str().unwrap().to_owned();
    assert_eq!(rows(&text_of("docs/api.md"), "limit"), rows(&described, "limit"), "left: docs/api.md");
}

#[test]
fn public_limits_are_all_described() {
    let (source, table) = (text_of("shared/domain/src/limits.rs"), text_of("status-api/src/description/promises.rs"));
    let words = table.split(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric());
    let listed: BTreeSet<_> = words.collect();
    for section in PUBLIC_SECTIONS {
        let (_, section) = source.split_once(section).expect("limits.rs has the section");
        let section = section.split("// ---").next().unwrap();
        let names: Vec<_> = section.split("pub const ").skip(1).filter_map(|rest| rest.split(':').next()).collect();
        assert!(!names.is_empty());
        for name in names.into_iter().filter(|name| !INTERNAL.contains(name)) {
            assert!(listed.contains(name), "{name} is in no row of description/promises.rs");
        }
    }
}

/// The members that a schema declares itself, without those of flattened schemas. A shape that occurs only in pages has
/// no schema of its own.
fn own_members(schemas: &Value, shape: &str) -> BTreeSet<String> {
    let in_pages = || &schemas[format!("PageShape_{shape}")]["properties"]["items"]["items"];
    let schema = schemas.get(shape).unwrap_or_else(in_pages);
    let parts = schema["allOf"].as_array().into_iter().flatten().chain([schema]);
    parts.filter_map(|part| part["properties"].as_object()).flat_map(|members| members.keys().cloned()).collect()
}

#[test]
fn documented_shapes_are_the_described_ones() {
    let description = description();
    for row in rows(&text_of("docs/api.md"), "shape") {
        let described = own_members(&description["components"]["schemas"], &row[0]);
        assert_eq!(in_backticks(&row[1]), described, "{}; left: docs/api.md", row[0]);
    }
}

/// A part of the description with an upper bound: `minLength` and `maxLength`, or `minimum` and `maximum`.
#[derive(Debug, PartialEq, Eq)]
struct Bounds {
    least: Option<u64>,
    most: u64,
}

fn bounds_of(schema: &Value) -> Option<Bounds> {
    let number = |name: &str| schema.get(name).and_then(Value::as_u64);
    let most = number("maxLength").or_else(|| number("maximum"))?;
    Some(Bounds { least: number("minLength").or_else(|| number("minimum")), most })
}

/// Collects the bounded parts of a schema, each as `Schema.member`, wherever they are nested.
fn collect_bounds(schema: &Value, name: &str, member: &str, bounded: &mut Vec<(String, Bounds)>) {
    bounded.extend(bounds_of(schema).map(|bounds| (format!("{name}.{member}"), bounds)));
    match schema {
        Value::Object(parts) => {
            for (key, part) in parts.iter().filter(|(key, _)| *key != "properties") {
                collect_bounds(part, name, if key == "items" { member } else { key }, bounded);
            }
            for (member, part) in parts.get("properties").and_then(Value::as_object).into_iter().flatten() {
                collect_bounds(part, name, member, bounded);
            }
        }
        Value::Array(parts) => parts.iter().for_each(|part| collect_bounds(part, name, member, bounded)),
        _ => {}
    }
}

/// The bounded members of all schemas. Those of a page's items are named as if the items had a schema of their own.
fn bounded_members(description: &Value) -> Vec<(String, Bounds)> {
    let mut bounded = Vec::new();
    for (name, schema) in description["components"]["schemas"].as_object().unwrap() {
        collect_bounds(schema, name.strip_prefix("PageShape_").unwrap_or(name), "", &mut bounded);
    }
    bounded
}

/// The bounded parameters by name.
fn bounded_parameters(description: &Value) -> Vec<(String, Bounds)> {
    let operations = operations(description);
    let parameters = operations.values().filter_map(|operation| operation["parameters"].as_array()).flatten();
    let bounds = parameters
        .filter_map(|parameter| Some((parameter["name"].as_str()?.to_owned(), bounds_of(&parameter["schema"])?)));
    bounds.collect()
}

/// The limit on a bounded part of the description.
fn limit_of(place: &str) -> RangeInclusive<usize> {
    let member = place.split('.').next_back().unwrap();
    match (place, member) {
        (_, "handle") => limits::HANDLE_CHARS,
        (_, "email") => 1..=limits::MAX_EMAIL_CHARS,
        (_, "password" | "current" | "new") => limits::PASSWORD_CHARS,
        (_, "display_name") => 1..=limits::MAX_DISPLAY_NAME_CHARS,
        (_, "bio") => 0..=limits::MAX_BIO_CHARS,
        ("CreatePostRequest.text" | "Post.text", _) => 0..=limits::MAX_POST_CHARS,
        ("CreateCommentRequest.text" | "Comment.text", _) => 1..=limits::MAX_COMMENT_CHARS,
        (_, "description") => 0..=limits::MAX_MEDIA_DESCRIPTION_CHARS,
        ("AnnounceMediaRequest.bytes", _) => 1..=usize::try_from(limits::MAX_UPLOAD_BYTES).unwrap(),
        (_, "user_agent") => 0..=limits::MAX_USER_AGENT_CHARS,
        ("limit", _) => 1..=usize::try_from(limits::MAX_PAGE_LIMIT).unwrap(),
        ("Idempotency-Key", _) => limits::IDEMPOTENCY_KEY_CHARS,
        ("Problem.status", _) => 400..=599,
        _ => panic!("the description bounds {place}, and no limit is known for it: add it to limit_of"),
    }
}

#[test]
fn described_bounds_are_the_limits() {
    let description = description();
    let mut bounded = bounded_members(&description);
    bounded.extend(bounded_parameters(&description));
    for (place, Bounds { least, most }) in &bounded {
        let limit = limit_of(place);
        assert_eq!(*most, *limit.end() as u64, "{place}");
        assert!(least.is_some() || *limit.start() <= 1, "{place} has no least length");
        assert_eq!(least.unwrap_or(*limit.start() as u64), *limit.start() as u64, "{place}");
    }
    for place in [
        "RegisterRequest.handle",
        "RegisterRequest.email",
        "RegisterRequest.password",
        "RegisterRequest.display_name",
        "LoginByEmail.email",
        "LoginByEmail.password",
        "LoginByHandle.handle",
        "LoginByHandle.password",
        "ChangePasswordRequest.current",
        "ChangePasswordRequest.new",
        "DeleteAccountRequest.password",
        "EditProfileRequest.display_name",
        "EditProfileRequest.bio",
        "CreatePostRequest.text",
        "CreateCommentRequest.text",
        "AnnounceMediaRequest.bytes",
        "AnnounceMediaRequest.description",
        "DescribeMediaRequest.description",
        "Idempotency-Key",
        "limit",
    ] {
        assert!(bounded.iter().any(|(bounded, _)| bounded == place), "the description does not bound {place}");
    }
}

/// Every text that a client sends is bounded in the description, or here with the reason.
#[test]
fn every_text_of_a_request_is_bounded() {
    let description = description();
    let bounded: BTreeSet<_> = bounded_members(&description).into_iter().map(|(place, _)| place).collect();
    let mut checked = 0;
    for (name, schema) in description["components"]["schemas"].as_object().unwrap() {
        let members = schema["properties"].as_object().into_iter().flatten();
        let texts = members.filter(|(_, of)| of["type"] == "string" && of.get("format").is_none());
        for (member, _) in texts.filter(|_| name.ends_with("Request") || name.starts_with("LoginBy")) {
            let place = format!("{name}.{member}");
            // A refresh token has no limit of its own: any text that is not a token is a 401.
            assert!(bounded.contains(&place) || member == "refresh_token", "{place} has no maxLength");
            checked += 1;
        }
    }
    assert!(checked > 0, "no text of any request was found");
}

#[test]
fn patterns_of_handles_repeat_their_length() {
    let length = format!("{{{},{}}}$", limits::HANDLE_CHARS.start(), limits::HANDLE_CHARS.end());
    let description = description();
    let schemas = description["components"]["schemas"].as_object().unwrap();
    let handles = schemas.values().filter_map(|schema| schema["properties"]["handle"]["pattern"].as_str());
    let handles: Vec<_> = handles.collect();
    assert!(handles.len() >= 3, "{handles:?}");
    assert!(handles.iter().all(|pattern| pattern.ends_with(&length)), "{handles:?}");
}

#[test]
fn the_default_page_size_is_described() {
    let feed = operations(&description()).remove("GET /v1/feed").unwrap();
    let limit = feed["parameters"].as_array().unwrap().iter().find(|parameter| parameter["name"] == "limit").unwrap();
    assert_eq!(limit["schema"]["default"], limits::DEFAULT_PAGE_LIMIT);
}

/// The closed list, as the snapshot of http-api has it.
#[test]
fn documented_problems_are_the_closed_list() {
    let list = text_of("shared/http-api/src/snapshots/http_api__problem__tests__the_closed_list_of_problems.snap");
    let bodies = list.lines().filter(|line| line.starts_with('{'));
    let enforced: BTreeSet<_> = bodies
        .map(|body| serde_json::from_str::<Value>(body).unwrap())
        .map(|body| (body["type"].as_str().unwrap().to_owned(), body["status"].to_string()))
        .collect();
    let documented: BTreeSet<_> = rows(&text_of("docs/api.md"), "type")
        .into_iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].clone()))
        .collect();
    assert_eq!(documented, enforced, "left: docs/api.md, right: problem.rs");
}

/// The message about a field of a 422.
fn message(refused: &Answer, field: &str) -> String {
    let errors = refused.json()["errors"].as_array().unwrap().clone();
    let error = errors.iter().find(|error| error["field"] == field).unwrap_or_else(|| panic!("{}", refused.text));
    error["message"].as_str().unwrap().to_owned()
}

fn too_long(most: usize) -> String {
    "x".repeat(most + 1)
}

fn from_to(range: &RangeInclusive<usize>) -> String {
    format!("{} to {}", range.start(), range.end())
}

#[tokio::test]
async fn messages_about_accounts_state_the_limits() {
    let api = TestApi::start();
    let body = json!({
        "handle": too_long(*limits::HANDLE_CHARS.end()),
        "email": too_long(limits::MAX_EMAIL_CHARS),
        "password": too_long(*limits::PASSWORD_CHARS.end()),
        "display_name": too_long(limits::MAX_DISPLAY_NAME_CHARS),
    });
    let refused = api.post("/v1/auth/register", None, &body).await.problem(422, "invalid");
    for (field, limit) in [
        ("handle", from_to(&limits::HANDLE_CHARS)),
        ("email", format!("at most {}", limits::MAX_EMAIL_CHARS)),
        ("password", from_to(&limits::PASSWORD_CHARS)),
        ("display_name", from_to(&(1..=limits::MAX_DISPLAY_NAME_CHARS))),
    ] {
        assert!(message(&refused, field).contains(&limit), "{field}: {}, not {limit}", refused.text);
    }
    let token = api.token_of("alice").await;
    let bio = json!({"bio": too_long(limits::MAX_BIO_CHARS)});
    let refused = api.patch("/v1/users/me", Some(&token), &bio).await.problem(422, "invalid");
    assert!(message(&refused, "bio").contains(&format!("at most {} ", limits::MAX_BIO_CHARS)), "{}", refused.text);
}

#[tokio::test]
async fn messages_about_texts_state_the_limits() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let post = request(Method::POST, "/v1/posts", Some(&token))
        .header("content-type", "application/json")
        .header("idempotency-key", too_long(*limits::IDEMPOTENCY_KEY_CHARS.end()))
        .body(json!({"text": too_long(limits::MAX_POST_CHARS)}).to_string().into())
        .unwrap();
    let refused = api.send(post).await.problem(422, "invalid");
    assert!(message(&refused, "text").contains(&from_to(&(1..=limits::MAX_POST_CHARS))), "{}", refused.text);
    let key = message(&refused, "Idempotency-Key");
    assert!(key.contains(&from_to(&limits::IDEMPOTENCY_KEY_CHARS)), "{key}");
    let comment = json!({"text": too_long(limits::MAX_COMMENT_CHARS)});
    let path = "/v1/posts/0198c0de-0000-7000-8000-000000000001/comments";
    let refused = api.post(path, Some(&token), &comment).await.problem(422, "invalid");
    assert!(message(&refused, "text").contains(&from_to(&(1..=limits::MAX_COMMENT_CHARS))), "{}", refused.text);
}

#[tokio::test]
async fn messages_about_media_state_the_limits() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let body = json!({
        "content_type": "image/png",
        "bytes": limits::MAX_UPLOAD_BYTES + 1,
        "description": too_long(limits::MAX_MEDIA_DESCRIPTION_CHARS),
    });
    let refused = api.post("/v1/media", Some(&token), &body).await.problem(422, "invalid");
    assert_eq!(message(&refused, "bytes"), format!("must be a whole number from 1 to {}", limits::MAX_UPLOAD_BYTES));
    let most = format!("at most {} ", limits::MAX_MEDIA_DESCRIPTION_CHARS);
    assert!(message(&refused, "description").contains(&most), "{}", refused.text);
    let ids: Vec<_> = (0..=limits::MAX_MEDIA_PER_POST).map(|_| "018f6a6e-0000-4000-8000-000000000000").collect();
    let refused = api.post("/v1/posts", Some(&token), &json!({"text": "", "media_ids": ids})).await;
    let refused = refused.problem(422, "invalid");
    assert_eq!(message(&refused, "media_ids"), format!("must be at most {}", limits::MAX_MEDIA_PER_POST));
}

#[tokio::test]
async fn messages_about_sizes_state_the_limits() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let limit = limits::MAX_PAGE_LIMIT;
    let refused = api.get(&format!("/v1/feed?limit={}", limit + 1), &token).await.problem(422, "invalid");
    assert_eq!(message(&refused, "limit"), format!("must be from 1 to {limit}"));
    let refused = api.post_text("/v1/posts", Some(&token), too_long(limits::MAX_BODY_BYTES)).await;
    let refused = refused.problem(413, "body-too-large");
    let size = format!("{} KiB", limits::MAX_BODY_BYTES / 1024);
    assert!(refused.text_of("detail").contains(&size), "{}", refused.text);
    let described = operations(&description()).remove("POST /v1/posts").unwrap();
    assert!(described["responses"]["413"]["description"].as_str().unwrap().contains(&size), "{described}");
}
