//! Authorization: every route as an anonymous caller, another user and the owner, and what each attempt changed.

mod attempt;
mod rows;
mod scene;

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{TestApp, hooks};
use attempt::Role;
use rows::{Case, Effect, Row, rows};
use scene::{Reply, Scene};
use serde_json::Value;

/// Roles that must be tried on every route.
const MUST_BE_TRIED: [Role; 3] = [Role::Nobody, Role::Other, Role::Owner];

#[tokio::test(flavor = "multi_thread")]
async fn every_route_admits_exactly_its_roles() {
    let app = TestApp::start_with(hooks()).await;
    for (row_number, row) in rows().iter().enumerate() {
        for case in &row.cases {
            let scene = Scene::set(&app, &format!("{row_number}_{:?}", case.role).to_lowercase()).await;
            let context = format!("{} as {:?} ({})", row.route, case.role, row.about);
            judge(&app, &scene, row, *case, &context).await;
        }
    }
}

async fn judge(app: &TestApp, scene: &Scene, row: &Row, case: Case, context: &str) {
    let before = (scene.owners_view(app).await, scene.callers_view(app, case.role).await);
    let (method, _) = row.route.split_once(' ').expect("a route is a method and a path");
    let reply = scene.attempt(app, method, (row.attempt)(scene), row.endless, case.role).await;
    assert_eq!(reply.status, case.status, "{context}: {reply:#?}");
    app.drain().await;
    let after = (scene.owners_view(app).await, scene.callers_view(app, case.role).await);

    let theirs = case.effect == Effect::Owners || (case.effect == Effect::Own && case.role == Role::Owner);
    assert_eq!(
        before.0 != after.0,
        theirs,
        "{context}: whether the owner's things changed\n{:#?}\n{:#?}",
        before.0,
        after.0
    );
    if case.effect != Effect::Owners {
        let own = case.effect == Effect::Own;
        assert_eq!(
            before.1 != after.1,
            own,
            "{context}: whether the caller's things changed\n{:#?}\n{:#?}",
            before.1,
            after.1
        );
    }
    if case.role != Role::Owner {
        assert_discreet(scene, row, &reply, context);
    }
}

/// Asserts that private data of the owner is not in others' responses. A request with the owner's password or token in
/// its body counts as the owner's.
fn assert_discreet(scene: &Scene, row: &Row, reply: &Reply, context: &str) {
    if !row.route.contains(" /v1/auth/") {
        assert!(!reply.body.contains(&scene.owner_email()), "{context}: leaks the owner's address\n{}", reply.body);
    }
    if row.private {
        for secret in [&scene.owner.user_id, &scene.owner.handle, &scene.post] {
            assert!(!reply.body.contains(secret.as_str()), "{context}: leaks the owner's secrets\n{}", reply.body);
        }
    }
}

#[tokio::test]
async fn every_route_has_rows() {
    let app = TestApp::start().await;
    let routes = described(&app).await;
    let mut tried: BTreeMap<&str, BTreeSet<Role>> = BTreeMap::new();
    let rows = rows();
    for row in &rows {
        tried.entry(row.route).or_default().extend(row.cases.iter().map(|case| case.role));
    }
    for route in routes.keys() {
        let roles = tried.remove(route.as_str()).unwrap_or_else(|| panic!("{route} has no row"));
        assert!(MUST_BE_TRIED.iter().all(|role| roles.contains(role)), "{route} is tried as {roles:?} only");
    }
    assert!(tried.is_empty(), "there are no such routes: {:?}", tried.keys());
}

#[tokio::test]
async fn the_description_tells_which_routes_need_tokens() {
    let app = TestApp::start().await;
    let routes = described(&app).await;
    let mut refuses: BTreeMap<&str, bool> = BTreeMap::new();
    for row in rows() {
        // A public route may refuse some bodies, but not all.
        let refused = row.cases.iter().any(|case| case.role == Role::Nobody && case.status == 401);
        *refuses.entry(row.route).or_insert(true) &= refused;
    }
    for (route, refuses) in refuses {
        assert_eq!(routes[route], refuses, "{route}: whether nobody is refused");
    }
}

/// The routes of the OpenAPI description, as `GET /v1/feed`, and whether they declare a token.
async fn described(app: &TestApp) -> BTreeMap<String, bool> {
    let document = app.openapi().await.expect(200).body;
    let paths = document["paths"].as_object().unwrap();
    let routes = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
        methods.map(move |(method, route)| (format!("{} {path}", method.to_uppercase()), needs_token(route)))
    });
    routes.collect()
}

fn needs_token(route: &Value) -> bool {
    route["security"].as_array().is_some_and(|schemes| !schemes.is_empty())
}
