//! docs/operations.md has a row for each `warn!` and `error!` line of the process and the functions, and no other; each
//! line that names an error logs it with its causes.

use std::{
    collections::BTreeSet,
    fs,
    iter::Peekable,
    path::{Path, PathBuf},
    vec,
};

use deploy_checks::Template;

/// The folder of the one process's crate.
const PROCESS: &str = "tweeter";
/// The line, its meaning, whether to act, and the action.
const CELLS: usize = 4;
/// The macros whose lines have a row.
const EXPLAINED: [&str; 2] = ["warn", "error"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A token of Rust. Comments and characters are none.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A string literal, without its quotes.
    Text(String),
    Word(String),
    Sign(char),
}

impl Token {
    fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }

    fn opens(&self) -> bool {
        ['(', '[', '{'].iter().any(|sign| self.is(*sign))
    }

    fn closes(&self) -> bool {
        [')', ']', '}'].iter().any(|sign| self.is(*sign))
    }
}

/// The rest of a string literal after its opening quote, and the source after it. A line continued with a backslash is
/// joined as the compiler does.
fn text(source: &str, is_raw: bool, end: &str) -> (String, usize) {
    let (mut content, mut at) = (String::new(), 0);
    while let Some(letter) = source[at..].chars().next() {
        if source[at..].starts_with(end) {
            return (content, at + end.len());
        }
        at += letter.len_utf8();
        if is_raw || letter != '\\' {
            content.push(letter);
            continue;
        }
        let escaped = source[at..].chars().next().unwrap_or_default();
        if escaped == '\n' {
            at += source[at..].len() - source[at..].trim_start().len();
        } else {
            content.push(escaped);
            at += escaped.len_utf8();
        }
    }
    panic!("a string literal does not end: {content}");
}

/// The length of the comment or character literal at the beginning of `source`; 0 if there is none.
fn ignored(source: &str) -> usize {
    let through = |from: usize, end: &str| source[from..].find(end).map_or(source.len(), |at| from + at + end.len());
    if source.starts_with("//") {
        return through(0, "\n");
    } else if source.starts_with("/*") {
        return through(2, "*/");
    }
    let mut letters = source.chars();
    match (letters.next(), letters.next(), letters.next()) {
        (Some('\''), Some('\\'), Some(escaped)) => through(2 + escaped.len_utf8(), "'"),
        (Some('\''), Some(letter), Some('\'')) => 2 + letter.len_utf8(),
        _ => 0,
    }
}

/// The hashes of a raw string that begins `source`.
fn raw_hashes(source: &str) -> Option<&str> {
    let rest = source.strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then(|| &rest[..hashes])
}

fn tokens(mut source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    while let Some(letter) = source.chars().next() {
        let word = source.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(source.len());
        let length = if ignored(source) > 0 {
            ignored(source)
        } else if let Some(hashes) = raw_hashes(source) {
            let (content, length) = text(&source[hashes.len() + 2..], true, &format!("\"{hashes}"));
            tokens.push(Token::Text(content));
            hashes.len() + 2 + length
        } else if letter == '"' {
            let (content, length) = text(&source[1..], false, "\"");
            tokens.push(Token::Text(content));
            1 + length
        } else if word > 0 {
            tokens.push(Token::Word(source[..word].to_owned()));
            word
        } else {
            tokens.extend((!letter.is_whitespace()).then_some(Token::Sign(letter)));
            letter.len_utf8()
        };
        source = &source[length..];
    }
    tokens
}

/// Takes the tokens through the end of an item: its block, or a semicolon.
fn skip_item(tokens: &mut Peekable<vec::IntoIter<Token>>) {
    let mut depth = 0_usize;
    for token in tokens.by_ref() {
        depth = (depth + usize::from(token.opens())).saturating_sub(usize::from(token.closes()));
        if depth == 0 && (token.is(';') || token.is('}')) {
            return;
        }
    }
}

/// The tokens without the items under `#[cfg(test)]`.
fn without_tests(source: &str) -> Vec<Token> {
    let attribute = tokens("#[cfg(test)]");
    let (mut all, mut kept) = (tokens(source).into_iter().peekable(), Vec::new());
    while let Some(token) = all.next() {
        kept.push(token);
        if kept.ends_with(&attribute) {
            kept.truncate(kept.len() - attribute.len());
            skip_item(&mut all);
        }
    }
    kept
}

/// The format string of a macro: the last string literal among its own arguments. Empty if there is none.
fn message(arguments: &[Token]) -> String {
    let (mut depth, mut last) = (1_usize, String::new());
    for token in arguments {
        depth = depth + usize::from(token.opens()) - usize::from(token.closes());
        match token {
            Token::Text(content) if depth == 1 => last.clone_from(content),
            _ if depth == 0 => break,
            _ => {}
        }
    }
    last
}

/// Whether a macro records a field `error` by its `Display` or `Debug`, which omit the causes, and not through
/// `telemetry::chain`. A field without a sign is a string or a `chain`.
fn omits_causes(arguments: &[Token]) -> bool {
    let word = |token: &Token, expected: &str| matches!(token, Token::Word(found) if found == expected);
    let is_sign = |token: &Token| token.is('%') || token.is('?');
    let mut depth = 1_usize;
    for (at, token) in arguments.iter().enumerate() {
        depth = depth + usize::from(token.opens()) - usize::from(token.closes());
        if depth == 0 {
            return false;
        }
        let starts = at == 0 || arguments[at - 1].is(',');
        match &arguments[at..] {
            [sign, name, ..] if starts && is_sign(sign) && word(name, "error") => return true,
            [name, equals, sign, value @ ..] if starts && word(name, "error") && equals.is('=') && is_sign(sign) => {
                let value = value.iter().skip_while(|token| word(token, "telemetry") || token.is(':'));
                return value.take(1).all(|token| !word(token, "chain"));
            }
            _ => {}
        }
    }
    false
}

/// The message of a call of `warn!` or `error!`, and whether it omits an error's causes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    message: String,
    omits_causes: bool,
}

/// The calls of the macros of these levels.
fn calls(source: &str, levels: &[&str]) -> Vec<Line> {
    let tokens = without_tests(source);
    let is_level = |token: &Token| matches!(token, Token::Word(word) if levels.contains(&word.as_str()));
    let is_call = |window: &[Token]| is_level(&window[0]) && window[1].is('!') && window[2].opens();
    let calls = tokens.windows(3).enumerate().filter(|(_, window)| is_call(window));
    let arguments = calls.map(|(at, _)| &tokens[at + 3..]);
    arguments.map(|arguments| Line { message: message(arguments), omits_causes: omits_causes(arguments) }).collect()
}

fn collect(folder: &Path, levels: &[&str], lines: &mut BTreeSet<Line>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if !is_test && path.is_dir() {
            collect(&path, levels, lines);
        } else if !is_test && path.extension().is_some_and(|extension| extension == "rs") {
            lines.extend(calls(&fs::read_to_string(&path).unwrap(), levels));
        }
    }
}

/// The lines of these levels of every crate in `shared`, of each function and of the process.
fn logged(levels: &[&str]) -> BTreeSet<Line> {
    let shared = fs::read_dir(root().join("shared")).unwrap().map(|entry| entry.unwrap().path());
    let template = Template::read(&root().join("template.yaml")).expect("template.yaml is read");
    let functions = template.functions().into_iter().map(|function| function.code()).chain([PROCESS]);
    let mut lines = BTreeSet::new();
    let folders = shared.chain(functions.map(|name| root().join(name)));
    folders.for_each(|folder| collect(&folder.join("src"), levels, &mut lines));
    lines
}

/// The rows of the section's tables, each with its cells.
fn rows(operations: &str) -> Vec<Vec<&str>> {
    let (_, section) = operations.split_once("\n## Log lines\n").expect("docs/operations.md has the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn every_log_line_has_one_row() {
    let operations = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let rows = rows(&operations);
    for cells in &rows {
        assert!(cells.len() == CELLS && cells.iter().all(|cell| !cell.is_empty()), "incomplete: {cells:?}");
    }
    let explained: BTreeSet<String> = rows.iter().map(|cells| cells[0].trim_matches('`').to_owned()).collect();
    assert_eq!(explained.len(), rows.len(), "a line has two rows");
    let logged: BTreeSet<String> = logged(&EXPLAINED).into_iter().map(|line| line.message).collect();
    let without_row: Vec<_> = logged.difference(&explained).collect();
    let without_line: Vec<_> = explained.difference(&logged).collect();
    assert!(without_row.is_empty(), "docs/operations.md, \"Log lines\", has no row for {without_row:#?}");
    assert!(without_line.is_empty(), "docs/operations.md, \"Log lines\": no source logs {without_line:#?}");
}

#[test]
fn every_logged_error_has_its_causes() {
    let without: Vec<_> =
        logged(&EXPLAINED).into_iter().filter(|line| line.omits_causes).map(|line| line.message).collect();
    assert!(without.is_empty(), "log `error = telemetry::chain(&error)`, which includes the causes: {without:#?}");
}

/// A message of both levels is a warning only for a failure that no retry cures: the others are logged at `debug!`.
#[test]
fn permanent_failures_are_not_explained_as_outages() {
    let operations = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let quiet: BTreeSet<String> = logged(&["debug"]).into_iter().map(|line| line.message).collect();
    let permanent: Vec<_> =
        rows(&operations).into_iter().filter(|cells| quiet.contains(cells[0].trim_matches('`'))).collect();
    assert!(!permanent.is_empty(), "no line has two levels: remove this test");
    for cells in permanent {
        let is_outage = ["the store's failure", "throttle alarm", "an outage"].iter().any(|it| cells[3].contains(it));
        assert!(!is_outage, "throttling and outages are not logged at this level: {cells:?}");
    }
}

#[test]
fn an_error_without_its_causes_is_found() {
    let omitted = |arguments: &str| calls(&format!("fn a() {{ warn!({arguments}); }}"), &EXPLAINED)[0].omits_causes;
    for causes_lost in ["%error, \"a\"", "id, ?error, \"a\"", "error = %error, \"a\"", "error = ?cause.b(), \"a\""] {
        assert!(omitted(causes_lost), "{causes_lost}");
    }
    for kept in
        ["error = chain(&error), \"a\"", "error = %telemetry::chain(&error), \"a\"", "error, \"a\"", "\"{error}\""]
    {
        assert!(!omitted(kept), "{kept}");
    }
}

#[test]
fn messages_are_found_among_other_code() {
    let source = r##"
        // warn!("in a comment");
        fn a<'a>(quote: &'a str) { warn!(%error, name = f("b"), "Could not \
            do {a}; {}", g("c")); }
        const QUOTE: [char; 3] = ['"', '\'', '('];
        const RAW: &str = r#"warn!("in a string")"#;
        #[error("of an error type")]
        struct Failed;
        #[cfg(test)]
        use std::fs;
        #[cfg(test)]
        mod tests { fn b() { error!("in a test"); } }
        fn c() { tracing::error!("Said \"{x}\""); info!("of another level"); }
    "##;
    let messages: Vec<_> = calls(source, &EXPLAINED).into_iter().map(|line| line.message).collect();
    assert_eq!(messages, ["Could not do {a}; {}", "Said \"{x}\""]);
}

#[test]
fn rows_end_with_their_section() {
    let operations = "\n## Log lines\n| line | act |\n| --- | --- |\n| `A {b}` | no |\n\n## Next\n| `c` | no |\n";
    assert_eq!(rows(operations), [["`A {b}`", "no"]]);
}
