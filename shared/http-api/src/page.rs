//! `?limit=` and `?cursor=`. Other query parameters are reserved for later versions and ignored.

use axum::extract::{FromRequestParts, Query};
use http::{Uri, request::Parts};

use super::{cursor, cursor::Listing, problem::Problem};
use domain::PageLimit;

/// The requested page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageQuery<L: Listing> {
    /// The position to start after; `None` for the first page.
    pub after: Option<L::Position>,
    /// The page size.
    pub limit: PageLimit,
}

impl<L: Listing, S: Send + Sync> FromRequestParts<S> for PageQuery<L> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parse::<L>(&parts.uri)
    }
}

/// Parses the query. Unparseable values (400) take precedence over values out of range (422).
fn parse<L: Listing>(uri: &Uri) -> Result<PageQuery<L>, Problem> {
    let unparseable = Problem::Unparseable;
    let Ok(Query(members)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return Err(unparseable("The query cannot be parsed."));
    };
    let limit = only(&members, "limit")?
        .map(|limit| whole_number(limit).ok_or(unparseable("The limit is not a whole number.")))
        .transpose()?;
    let after = only(&members, "cursor")?
        .map(|text| cursor::decode::<L>(text).ok_or(unparseable("The cursor does not belong to this list.")))
        .transpose()?;
    let limit = match limit {
        None => PageLimit::default(),
        Some(limit) => u32::try_from(limit)
            .ok()
            .and_then(PageLimit::new)
            .ok_or_else(|| Problem::invalid("limit", "must be from 1 to 100"))?,
    };
    Ok(PageQuery { after, limit })
}

/// The value of a parameter that may occur once.
fn only<'a>(members: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = members.iter().filter(|(member, _)| member == name).map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Problem::Unparseable("A query parameter is repeated.")),
        (value, None) => Ok(value),
    }
}

/// Parses a whole number of any size; one too large for `i64` saturates, as it is out of range either way.
fn whole_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::{Feed, Story};
    use domain::PostId;

    fn query(query: &str) -> Result<PageQuery<Feed>, u16> {
        parse(&format!("/v1/feed{query}").parse().unwrap()).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn limits_have_edges() {
        assert_eq!(query("").unwrap().limit.get(), 20);
        assert_eq!(query("?limit=1&later=x").unwrap().limit.get(), 1);
        assert_eq!(query("?limit=100").unwrap().limit.get(), 100);
        for out_of_range in ["0", "101", "-1", "99999999999999999999999"] {
            assert_eq!(query(&format!("?limit={out_of_range}")), Err(422), "{out_of_range}");
        }
        for unreadable in ["abc", "", "1.5", "1e2", "0x10", "%ff", "-", "+5", "5&limit=6"] {
            assert_eq!(query(&format!("?limit={unreadable}")), Err(400), "{unreadable}");
        }
    }

    #[test]
    fn a_cursor_belongs_to_its_list() {
        let post = PostId::from_uuid(uuid::Uuid::from_u128(5));
        assert_eq!(query(&format!("?cursor={}", cursor::encode::<Feed>(&post))).unwrap().after, Some(post));
        assert_eq!(query(&format!("?cursor={}", cursor::encode::<Story>(&post))), Err(400));
        assert_eq!(query("?cursor="), Err(400));
        assert_eq!(query("?cursor=x&limit=0"), Err(400), "unparseable takes precedence over out of range");
    }
}
