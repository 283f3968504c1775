//! Views to streams and their archivers: what a view needs of them, and the assembly of views.

use std::sync::Arc;
use std::time::Duration;

use tidemill_log::{Disk, Replicated};
use tidemill_model::{BoxFuture, Clock, Region, StreamArn};
use tidemill_streams::Streams;
use tidemill_views::Schema;
use tidemill_views::archiver;
use tidemill_views::catalog::Catalog;
use tidemill_views::layers::{LayersParts, Running};
use tidemill_views::service::{Archiving, ArchivingFailure, Home, Views, ViewsParts};

use crate::config::{Config, ConfigFile};

use super::archives::{Archives, ArchivesParts, folder};
use super::view_store::{StoreFailure, ViewStore};

/// The region of statements that come without a signature.
const REGION_DEFAULT: &str = "us-east-1";

/// Views have streams archived.
struct ViewArchiving {
    archives: Archives,
}

impl Archiving for ViewArchiving {
    fn begin<'a>(
        &'a self,
        stream: &'a StreamArn,
        schema: &'a Schema,
    ) -> BoxFuture<'a, Result<(), ArchivingFailure>> {
        Box::pin(async move {
            let begun = self.archives.begin_with(stream, schema).await;
            begun.map_err(|failure| ArchivingFailure {
                detail: failure.to_string(),
            })
        })
    }
}

/// The archivers and the views, both at work.
pub async fn assemble(
    config: &Config,
    file: &ConfigFile,
    catalog: Replicated<Catalog>,
    streams: Streams,
    (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>),
) -> Result<(Archives, Views), StoreFailure> {
    let known = catalog.clone();
    let ViewStore {
        store,
        place,
        tables,
    } = ViewStore::open(&file.views, disk)?;
    let archives = Archives::new(ArchivesParts {
        streams,
        store,
        place,
        clock: clock.clone(),
        settings: archiver_settings(file),
        columns: Box::new(move |stream, incarnation| {
            known.read(|catalog| {
                let known = catalog.schema(stream, incarnation);
                known.map(|known| known.schema.clone()).unwrap_or_default()
            })
        }),
    });
    archives.recover().await;
    let layers = Running::new(LayersParts {
        clock: clock.clone(),
        source: archives.source().clone(),
        store: archives.store().clone(),
        folder,
    });
    let views = Views::new(ViewsParts {
        catalog,
        source: archives.source().clone(),
        archiving: Arc::new(ViewArchiving {
            archives: archives.clone(),
        }),
        layers: Arc::new(layers),
        tables,
        clock,
        home: Home {
            account: config.account_id.clone(),
            region: Region::new(REGION_DEFAULT),
        },
    });
    views.recover().await;
    Ok((archives, views))
}

fn archiver_settings(file: &ConfigFile) -> archiver::Settings {
    let section = &file.views;
    let defaults = archiver::Settings::default();
    archiver::Settings {
        epoch_age: section
            .epoch_millis
            .map_or(defaults.epoch_age, Duration::from_millis),
        epoch_bytes: section.epoch_bytes.unwrap_or(defaults.epoch_bytes),
        ..defaults
    }
}
