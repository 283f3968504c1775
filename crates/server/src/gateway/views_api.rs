//! `/_tidemill/views`: the API of views and of the master datasets behind them.
//!
//! ```text
//! GET POST       /_tidemill/views                       list; carry out a statement such as CREATE VIEW
//! GET POST       /_tidemill/views/query                 answer `sql`
//! GET DELETE     /_tidemill/views/VIEW                  describe; drop
//! GET            /_tidemill/views/VIEW/diff             compare its served version with the one beside it
//! GET            /_tidemill/views/VIEW/spark-sql        what it computes, as a query of Spark over `?table=`
//! GET            /_tidemill/views/VIEW/rows?store=BLR   its rows, by values of its columns
//! GET            /_tidemill/views/tables                the static tables
//! GET PUT DELETE /_tidemill/views/tables/NAME           one of them; make a version of lines of JSON; drop
//! GET            /_tidemill/views/schemas               the columns of streams
//! GET            /_tidemill/views/exclusions            the records that no view counts
//! GET            /_tidemill/views/endpoints             the named queries
//! GET PUT DELETE /_tidemill/views/endpoints/NAME        one of them
//! GET            /_tidemill/views/endpoints/NAME/rows   its answer, with parameters
//! GET            /_tidemill/views/archives              the archived streams
//! GET PUT DELETE /_tidemill/views/archives/STREAM       one of them; begin; end
//! ```
//!
//! What must hold: an error is JSON and says in `error` what is wrong, and in `hint` what to do. A stream
//! is one of the caller's account, in the region that `?region=` or else the signature names. Where
//! credentials are configured, only requests that one of them signed are answered.

#[cfg(feature = "views")]
mod demands;
#[cfg(feature = "views")]
mod answers;
#[cfg(feature = "views")]
mod archives;
#[cfg(feature = "views")]
mod definitions;
#[cfg(feature = "views")]
mod endpoints;
#[cfg(feature = "views")]
mod tables;

use serde_json::json;

use tidemill_model::Caller;
use tidemill_protocol::request::Request;
use tidemill_protocol::response::Response;
use tidemill_protocol::sigv4;

use crate::wiring::services::Services;

const ROOT: &str = "/_tidemill/views";

/// What stands behind the root of this API in `path`, without slashes around it; none for other paths.
pub fn below(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(ROOT)?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/'))
}

/// What somebody is told who did not sign as the configuration demands.
pub fn unauthenticated(error: &sigv4::Error) -> Response {
    refusal(
        403,
        &format!("{error}: sign with credentials of the configuration file"),
    )
}

/// Answers a request for `rest`, what stands behind the root.
#[cfg(feature = "views")]
pub async fn answer(
    services: &Services,
    caller: &Caller,
    request: &Request<'_>,
    rest: &str,
) -> Response {
    let views = &services.views;
    let parts: Vec<&str> = rest.split('/').collect();
    match parts.as_slice() {
        [""] => definitions::all(views, caller, request).await,
        ["query"] => answers::query(views, request).await,
        ["schemas"] => definitions::schemas(views, request),
        ["exclusions"] => definitions::exclusions(views, request),
        ["archives"] => archives::answer(services, caller, request, "").await,
        ["archives", stream] => archives::answer(services, caller, request, stream).await,
        ["tables"] => tables::all(views, request),
        ["tables", name] => tables::one(views, request, name).await,
        ["endpoints"] => endpoints::all(views, request),
        ["endpoints", name] => endpoints::one(views, request, name).await,
        ["endpoints", name, "rows"] => endpoints::rows(views, request, name).await,
        [name] => definitions::one(views, request, name).await,
        [name, "diff"] => definitions::diff(views, request, name).await,
        [name, "spark-sql"] => definitions::spark_sql(views, request, name),
        [name, "rows"] => answers::lookup(views, request, name).await,
        _ => refusal(404, "no such path; docs/views.md has those of the API"),
    }
}

/// Without the feature there is nothing to ask.
#[cfg(not(feature = "views"))]
pub async fn answer(_: &Services, _: &Caller, _: &Request<'_>, _: &str) -> Response {
    let text = "this build has no views: build with the feature `views`, which is on by default";
    refusal(501, text)
}

fn refusal(status: u16, text: &str) -> Response {
    json_answer(status, &json!({ "error": text }))
}

fn json_answer(status: u16, body: &serde_json::Value) -> Response {
    Response::new(status, "application/json", body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_below_the_root_is_ours() {
        assert_eq!(below("/_tidemill/views"), Some(""));
        assert_eq!(below("/_tidemill/views/"), Some(""));
        assert_eq!(below("/_tidemill/views/archives/s"), Some("archives/s"));
        assert_eq!(below("/_tidemill/viewsx"), None);
        assert_eq!(below("/_tidemill/ledger"), None);
    }
}
