//! Which paths belong to the web client.

/// The page of all client routes.
pub(super) const INDEX: &str = "index.html";

/// First segments of the API and of stored pictures.
const API: [&str; 6] = ["v1", "openapi.json", "healthz", "uploads", "media", "metrics"];
/// Files served under their own names.
const FILES: [&str; 3] = ["manifest.webmanifest", "sw.js", "icon.svg"];

/// The meaning of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// A file of the client.
    File(&'a str),
    /// A view of the client: the page, which reads the path itself.
    Page,
    /// Nothing of the client's; the API decides.
    Api,
    /// Neither the client's nor the API's.
    Unknown,
}

/// The meaning of this path. No name that leaves the client's directory is a file.
pub(super) fn target(path: &str) -> Target<'_> {
    let Some(path) = path.strip_prefix('/').filter(|path| !path.starts_with('/')) else { return Target::Api };
    let segments: Vec<_> = path.split('/').collect();
    match segments[..] {
        ["" | "login" | "register" | "notifications" | "settings"] => Target::Page,
        ["settings" | "posts", part] if !part.is_empty() => Target::Page,
        [user] | [user, "followers" | "following"] if is_handle(user) => Target::Page,
        [name] if FILES.contains(&name) => Target::File(path),
        [folder, .., _] if is_app(folder) && segments.iter().all(|segment| is_plain(segment)) => Target::File(path),
        [first, ..] if API.contains(&first) => Target::Api,
        _ => Target::Unknown,
    }
}

fn is_handle(segment: &str) -> bool {
    segment.len() > 1 && segment.starts_with('@')
}

fn is_app(segment: &str) -> bool {
    segment == "app" || segment.starts_with("app-")
}

/// Whether a segment is a file's or folder's name: nothing hidden, no `..`, nothing encoded.
fn is_plain(segment: &str) -> bool {
    !segment.is_empty()
        && !segment.starts_with('.')
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/")]
    #[case("/login")]
    #[case("/@alice")]
    #[case("/@alice/followers")]
    #[case("/posts/0198c0de-0000-7000-8000-000000000001")]
    #[case("/settings/sessions")]
    fn client_routes_are_pages(#[case] path: &str) {
        assert_eq!(target(path), Target::Page);
    }

    #[rstest]
    #[case("/v1/feed")]
    #[case("/v1")]
    #[case("/healthz")]
    #[case("/openapi.json")]
    #[case("/uploads/x")]
    #[case("/media/x")]
    #[case("//")]
    fn api_paths_are_not_the_client(#[case] path: &str) {
        assert_eq!(target(path), Target::Api);
    }

    #[rstest]
    #[case("/app/../Cargo.toml")]
    #[case("/app/%2e%2e/Cargo.toml")]
    #[case("/app/.git")]
    #[case("/app/a\\b")]
    #[case("/package.json")]
    #[case("/app")]
    #[case("/settings/")]
    #[case("/@")]
    fn other_names_are_not_files(#[case] path: &str) {
        assert_eq!(target(path), Target::Unknown);
    }

    #[test]
    fn modules_are_files() {
        assert_eq!(target("/app/ui/icons.js"), Target::File("app/ui/icons.js"));
        assert_eq!(target("/app-0123/main.js"), Target::File("app-0123/main.js"));
        assert_eq!(target("/sw.js"), Target::File("sw.js"));
    }
}
