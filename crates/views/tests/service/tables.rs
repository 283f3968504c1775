//! Static tables: a view stays with a version, a query takes the newest, and what is needed stays.

use super::*;

async fn by_country(views: &Views, view: &str, end: u64) -> Vec<String> {
    let sql = format!("SELECT country, n FROM {view} ORDER BY country NULLS FIRST");
    rows(views, &sql, end).await.expect("answered")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_stays_with_the_version_of_a_table_that_it_was_made_over() {
    let world = World::new();
    let views = viewed(&world, 40).await;
    let create = format!("CREATE VIEW countries {BY_COUNTRY}");
    assert!(matches!(
        refusal(&views, &create).await,
        Failure::Refused(Refused::NoTable { .. })
    ));
    let put = views.put_table("airports", AIRPORTS).await.expect("put");
    assert_eq!((put.version.number, put.is_new), (1, true));
    let again = views.put_table("airports", AIRPORTS).await.expect("put");
    assert_eq!((again.version.number, again.is_new), (1, false));
    let notices = told(&views, &create).await;
    assert!(
        notices
            .iter()
            .any(|notice| notice.contains("version 1 of airports"))
    );
    let before = by_country(&views, "countries", 40).await;
    assert!(before.iter().any(|row| row.contains("IN")), "{before:?}");

    let moved = String::from_utf8_lossy(AIRPORTS).replace("IN", "XX");
    let put = views
        .put_table("airports", moved.as_bytes())
        .await
        .expect("put");
    assert_eq!(put.version.number, 2);
    assert_eq!(by_country(&views, "countries", 40).await, before);
    views.shutdown().await;
    let views = world.views().await;
    assert_eq!(by_country(&views, "countries", 40).await, before);

    told(&views, &format!("ALTER VIEW countries {BY_COUNTRY}")).await;
    by_country(&views, "\"countries@2\"", 40).await;
    told(&views, "PROMOTE VIEW countries").await;
    let after = by_country(&views, "countries", 40).await;
    let renamed: Vec<String> = before.iter().map(|row| row.replace("IN", "XX")).collect();
    let sorted = |mut rows: Vec<String>| {
        rows.sort();
        rows
    };
    assert_eq!(sorted(after), sorted(renamed));
    told(&views, "ROLLBACK VIEW countries").await;
    assert_eq!(by_country(&views, "countries", 40).await, before);
    views.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_joins_the_newest_version_of_a_table_or_the_one_it_names() {
    let world = World::new();
    let views = viewed(&world, 40).await;
    views.put_table("airports", AIRPORTS).await.expect("put");
    let moved = String::from_utf8_lossy(AIRPORTS).replace("CH", "XX");
    views
        .put_table("airports", moved.as_bytes())
        .await
        .expect("put");
    let country = async |table: &str| {
        let sql = format!(
            "SELECT a.country FROM delays d JOIN {table} a ON a.code = d.origin WHERE d.origin = 'A2'"
        );
        rows(&views, &sql, 40).await.expect("answered")
    };
    assert_eq!(country("airports").await, [r#"{"country":"XX"}"#]);
    assert_eq!(country("\"airports@1\"").await, [r#"{"country":"CH"}"#]);
    views.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_goes_when_no_view_needs_it_and_a_damaged_one_is_not_used() {
    let world = World::new();
    let views = viewed(&world, 40).await;
    assert!(views.put_table("delays", AIRPORTS).await.is_err());
    assert!(views.put_table("airports", b"[1]").await.is_err());
    views.put_table("airports", AIRPORTS).await.expect("put");
    assert!(matches!(
        refusal(
            &views,
            "CREATE VIEW airports AS SELECT count(*) AS n FROM STREAM flights"
        )
        .await,
        Failure::Refused(Refused::TableExists { .. })
    ));
    told(&views, &format!("CREATE VIEW countries {BY_COUNTRY}")).await;
    assert!(matches!(
        views.drop_table("airports").await,
        Err(Failure::Refused(Refused::TableJoined { .. }))
    ));
    views.shutdown().await;
    let path = "views/tables/airports-1.ndjson";
    let disk: Arc<dyn Disk> = Arc::new(world.disk.clone());
    let store = DiskStore::new(disk);
    store.replace(path, b"{}").expect("written");
    let views = world.views().await;
    let sight = views.status("countries").expect("it is there").sight;
    assert!(sight.expect_err("no answer").contains("is damaged"));
    let sql = "SELECT count(*) AS n FROM airports";
    let query = views.query(sql, QueryOptions::default()).await;
    assert!(
        query
            .expect_err("no rows")
            .to_string()
            .contains("is damaged")
    );
    views
        .put_table("airports", AIRPORTS)
        .await
        .expect("put again");
    let query = views.query(sql, QueryOptions::default()).await;
    let answered = query.expect("it is whole again");
    assert_eq!(answered.tables[0].number, 1);
    told(&views, "DROP VIEW countries").await;
    views.drop_table("airports").await.expect("dropped");
    assert_eq!(store.read(path), Ok(None));
    assert!(views.tables().is_empty());
    check(&views, 40).await;
    views.shutdown().await;
}
