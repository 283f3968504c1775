//! `tidemill views`: views from the command line, through the server's own API.
//!
//! What must hold: what the API says is what is printed; rows and nothing else go to standard output,
//! what they are as of goes to standard error, unless JSON is asked for, which holds both.

use anyhow::Context;
use http::Method;
use serde_json::{Value, json};

use tidemill_bench::client::Failure;

use crate::args::{
    self, NamedView, Server, Views, ViewsCreate, ViewsDrop, ViewsExclude, ViewsPutTable,
    ViewsQuery, ViewsSparkSql, ViewsUndo,
};
use crate::connection;
use crate::output::{self, Ending, Failed, OrTry};

const ROOT: &str = "/_tidemill/views";

/// Runs one of the commands.
pub async fn run(command: Views) -> Result<Ending, Failed> {
    let name = command.name_and_json().0;
    match command {
        Views::Create(options) | Views::Alter(options) => create(name, options).await,
        Views::List(server) => list(name, server).await,
        Views::Show(options) => show(name, options).await,
        Views::Drop(options) => drop_view(name, options).await,
        Views::Query(options) => query(name, options).await,
        Views::Diff(options) => diff(name, options).await,
        Views::Audit(options) => about(name, "AUDIT VIEW", options).await,
        Views::Promote(options) => about(name, "PROMOTE VIEW", options).await,
        Views::Rollback(options) => about(name, "ROLLBACK VIEW", options).await,
        Views::Exclude(options) => exclude(name, options).await,
        Views::Exclusions(server) => exclusions(name, server).await,
        Views::Undo(options) => undo(name, options).await,
        Views::PutTable(options) => put_table(name, options).await,
        Views::Tables(server) => tables(name, server).await,
        Views::DropTable(options) => drop_table(name, options).await,
        Views::SparkSql(options) => spark_sql(name, options).await,
    }
}

async fn create(name: &str, options: ViewsCreate) -> Result<Ending, Failed> {
    let sql = match (&options.sql, &options.file) {
        (Some(sql), _) => sql.clone(),
        (None, Some(path)) => std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))
            .or_try(format!("{} views create --help", output::program()))?,
        (None, None) => unreachable!("clap demands one of them"),
    };
    carry_out(name, &options.server, &sql).await
}

/// Has a statement carried out, and says what there is to tell of it.
async fn carry_out(name: &str, server: &Server, sql: &str) -> Result<Ending, Failed> {
    let input = json!({ "sql": sql });
    let answer = ask(server, Method::POST, "", Some(&input)).await?;
    say(name, server, &answer, |answer| {
        for notice in answer["notices"].as_array().into_iter().flatten() {
            eprintln!("{}", plain(notice));
        }
        plain(&answer["done"])
    })
}

/// A statement of two words about one view.
async fn about(name: &str, words: &str, options: NamedView) -> Result<Ending, Failed> {
    let sql = format!("{words} {}", identifier(&options.name));
    carry_out(name, &options.server, &sql).await
}

async fn diff(name: &str, options: NamedView) -> Result<Ending, Failed> {
    let path = format!("/{}/diff", encoded(&options.name));
    let answer = ask(&options.server, Method::GET, &path, None).await?;
    let ending = match answer["is_equal"].as_bool() {
        Some(true) => Ending::Ok,
        _ => Ending::Finding,
    };
    if options.server.json {
        output::print(&output::envelope(name, ending, &answer, &[]));
    } else {
        let lines = answer["lines"].as_array().into_iter().flatten().map(plain);
        output::print(&lines.collect::<Vec<_>>().join("\n"));
    }
    Ok(ending)
}

async fn put_table(name: &str, options: ViewsPutTable) -> Result<Ending, Failed> {
    let content = std::fs::read(&options.file)
        .with_context(|| format!("{} cannot be read", options.file.display()))
        .or_try(format!("{} views put-table --help", output::program()))?;
    let path = format!("{ROOT}/tables/{}", encoded(&options.name));
    let client = connection::client(&options.server.endpoint);
    let answer = client.own_upload(&path, "application/x-ndjson", content.into());
    let answer = answer.await.map_err(refused)?;
    say(name, &options.server, &answer, |answer| {
        for notice in answer["notices"].as_array().into_iter().flatten() {
            eprintln!("{}", plain(notice));
        }
        let field = |name: &str| plain(&answer[name]);
        format!(
            "{} version {}: {} rows",
            field("table"),
            field("version"),
            field("rows")
        )
    })
}

async fn tables(name: &str, server: Server) -> Result<Ending, Failed> {
    let answer = ask(&server, Method::GET, "/tables", None).await?;
    say(name, &server, &answer, |answer| {
        let tables = answer["tables"].as_array().map(Vec::as_slice);
        let tables = tables.unwrap_or_default();
        if tables.is_empty() {
            return "There is no static table.".to_owned();
        }
        let mut table = output::table(&["table", "version", "rows", "columns"]);
        for one in tables {
            let columns = one["columns"].as_array().into_iter().flatten();
            let columns: Vec<String> = columns.map(|column| plain(&column["name"])).collect();
            let fields = ["table", "version", "rows"].map(|field| plain(&one[field]));
            table.add_row(fields.into_iter().chain([columns.join(", ")]));
        }
        table.to_string()
    })
}

async fn drop_table(name: &str, options: NamedView) -> Result<Ending, Failed> {
    let path = format!("/tables/{}", encoded(&options.name));
    let answer = ask(&options.server, Method::DELETE, &path, None).await?;
    say(name, &options.server, &answer, |answer| {
        plain(&answer["done"])
    })
}

async fn spark_sql(name: &str, options: ViewsSparkSql) -> Result<Ending, Failed> {
    let mut path = format!("/{}/spark-sql", encoded(&options.name));
    if let Some(table) = &options.table {
        path = format!("{path}?table={}", encoded(table));
    }
    let answer = ask(&options.server, Method::GET, &path, None).await?;
    say(name, &options.server, &answer, |answer| {
        plain(&answer["sql"]).trim_end().to_owned()
    })
}

async fn exclude(name: &str, options: ViewsExclude) -> Result<Ending, Failed> {
    let sql = format!(
        "EXCLUDE FROM STREAM {} SHARD {} [{}, {}) REASON {}",
        identifier(&options.stream),
        literal(&options.shard),
        literal(&options.from),
        literal(&options.to),
        literal(&options.reason),
    );
    carry_out(name, &options.server, &sql).await
}

async fn undo(name: &str, options: ViewsUndo) -> Result<Ending, Failed> {
    let reason = literal(&options.reason);
    let sql = format!("UNDO EXCLUSION {} REASON {reason}", options.exclusion);
    carry_out(name, &options.server, &sql).await
}

async fn exclusions(name: &str, server: Server) -> Result<Ending, Failed> {
    let answer = ask(&server, Method::GET, "/exclusions", None).await?;
    say(name, &server, &answer, |answer| {
        let exclusions = answer["exclusions"].as_array();
        let exclusions = exclusions.map(Vec::as_slice).unwrap_or_default();
        if exclusions.is_empty() {
            return "Nothing is excluded.".to_owned();
        }
        let titles = [
            "exclusion",
            "stream",
            "shard",
            "from",
            "to",
            "reason",
            "since",
            "undone",
        ];
        let mut table = output::table(&titles);
        for one in exclusions {
            let fields = [
                "exclusion",
                "stream_name",
                "shard",
                "from",
                "to",
                "reason",
                "at",
            ];
            let fields = fields.map(|field| plain(&one[field])).into_iter();
            table.add_row(fields.chain([plain(&one["undone"]["reason"])]));
        }
        table.to_string()
    })
}

async fn list(name: &str, server: Server) -> Result<Ending, Failed> {
    let answer = ask(&server, Method::GET, "", None).await?;
    say(name, &server, &answer, |answer| {
        let views = answer["views"].as_array();
        let views = views.map(Vec::as_slice).unwrap_or_default();
        if views.is_empty() {
            return "No view yet.".to_owned();
        }
        let mut table = output::table(&["view", "stream", "class", "epoch", "lag (ms)", "as of"]);
        for view in views {
            let fields = [
                "name",
                "stream_name",
                "class",
                "epoch",
                "lag_millis",
                "vector",
            ];
            table.add_row(fields.map(|field| plain(&view[field])));
        }
        table.to_string()
    })
}

async fn show(name: &str, options: NamedView) -> Result<Ending, Failed> {
    let path = format!("/{}", encoded(&options.name));
    let answer = ask(&options.server, Method::GET, &path, None).await?;
    say(name, &options.server, &answer, |answer| {
        serde_json::to_string_pretty(answer).expect("a value can be written")
    })
}

async fn drop_view(name: &str, options: ViewsDrop) -> Result<Ending, Failed> {
    if options.next || options.previous {
        let place = if options.next { "NEXT" } else { "PREVIOUS" };
        let sql = format!("DROP VIEW {} {place}", identifier(&options.name));
        return carry_out(name, &options.server, &sql).await;
    }
    let path = format!("/{}", encoded(&options.name));
    let answer = ask(&options.server, Method::DELETE, &path, None).await?;
    say(name, &options.server, &answer, |answer| {
        plain(&answer["done"])
    })
}

async fn query(name: &str, options: ViewsQuery) -> Result<Ending, Failed> {
    let mut input = json!({ "sql": options.sql, "min_position": options.min_position });
    if let Some(vector) = &options.as_of {
        input["as_of"] = json!(vector);
    }
    let answer = ask(&options.server, Method::POST, "/query", Some(&input)).await?;
    say(name, &options.server, &answer, |answer| {
        for as_of in answer["meta"]["as_of"].as_array().into_iter().flatten() {
            let field = |name: &str| plain(&as_of[name]);
            eprintln!(
                "{}: as of {}, epoch {}, {} ms behind, {}",
                field("view"),
                field("vector"),
                field("epoch"),
                field("lag_millis"),
                field("class"),
            );
        }
        rows(answer)
    })
}

fn rows(answer: &Value) -> String {
    let columns = answer["columns"].as_array();
    let columns: Vec<&str> = columns
        .into_iter()
        .flatten()
        .filter_map(|column| column["name"].as_str())
        .collect();
    let mut table = output::table(&columns);
    for row in answer["rows"].as_array().into_iter().flatten() {
        table.add_row(columns.iter().map(|column| plain(&row[*column])));
    }
    table.to_string()
}

/// A value without the quotes of JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn say(
    name: &str,
    server: &Server,
    answer: &Value,
    text: impl FnOnce(&Value) -> String,
) -> Result<Ending, Failed> {
    if server.json {
        output::print(&output::envelope(name, Ending::Ok, answer, &[]));
    } else {
        output::print(&text(answer));
    }
    Ok(Ending::Ok)
}

async fn ask(
    server: &args::Server,
    method: Method,
    path: &str,
    input: Option<&Value>,
) -> Result<Value, Failed> {
    let path = format!("{ROOT}{path}");
    let client = connection::client(&server.endpoint);
    let answer = client.own_call(method, &path, input).await;
    answer.map_err(refused)
}

fn refused(failure: Failure) -> Failed {
    let next = match &failure {
        Failure::Unanswered { .. } => format!("{} start", output::program()),
        Failure::Refused {
            hint: Some(hint), ..
        } => hint.clone(),
        _ => format!("{} views --help", output::program()),
    };
    let error = match failure {
        Failure::Refused { message, .. } => anyhow::Error::msg(message),
        other => other.into(),
    };
    Failed {
        error,
        next: vec![next],
    }
}

/// A name in SQL.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    let mut path = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'@' => {
                path.push(char::from(byte));
            }
            other => path.push_str(&format!("%{other:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_under_their_columns() {
        let answer = json!({
            "columns": [{ "name": "store" }, { "name": "n" }],
            "rows": [{ "n": 3, "store": "BLR" }, { "n": null, "store": "x" }],
        });
        let text = rows(&answer);
        assert!(text.contains("BLR") && text.contains(" 3 "), "{text}");
        assert!(!text.contains("null"), "{text}");
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(encoded("sales_1"), "sales_1");
        assert_eq!(encoded("a/b ä"), "a%2Fb%20%C3%A4");
    }
}
