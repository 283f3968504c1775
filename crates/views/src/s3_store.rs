//! A [`Store`] on S3, or on what speaks its protocol: [`S3Store`].
//!
//! An object is there whole or not at all, and a put that asks for it (`If-None-Match: *`) never replaces
//! one: what the port promises is what S3 does since it has conditional writes
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>). When the answer to a
//! put got lost, the put is tried again and finds itself: an object of the same bytes counts as put, because
//! what races for a name (commits, manifests) names files that are its own. Calls block their thread while a
//! runtime of the store's own works for them, so they can be made from anywhere.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    RetryConfig,
};
use thiserror::Error;
use tokio::runtime::{self, Runtime};

use tidemill_model::Determinacy;

use crate::limits::{S3_CONNECT_TIMEOUT, S3_REQUEST_TIMEOUT, S3_RETRIES, S3_RETRY_TIMEOUT};
use crate::store::{Put, Store, StoreError};

/// Where a store on S3 is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Place {
    /// `s3://BUCKET` or `s3://BUCKET/PREFIX`.
    pub url: String,
    /// Where S3 is asked, `http://127.0.0.1:9000` for example; none for AWS.
    pub endpoint: Option<String>,
    /// The region of the bucket; none for what the environment says, or us-east-1.
    pub region: Option<String>,
}

/// Why there is no such store.
#[derive(Debug, Error)]
pub enum S3Error {
    /// It is not the URL of a bucket.
    #[error("{url} is not of the form s3://BUCKET or s3://BUCKET/PREFIX")]
    Url {
        /// What it is.
        url: String,
    },
    /// The client cannot be made.
    #[error("the client of {url} cannot be made: {detail}")]
    Client {
        /// The store.
        url: String,
        /// Why.
        detail: String,
    },
}

/// Objects of a bucket.
pub struct S3Store {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Taken when the store goes, which may be in a task.
    runtime: Option<Runtime>,
}

impl S3Store {
    /// The store at `place`. Credentials are those of `environment`, in which variables are named as AWS
    /// names them; endpoints are not taken from there, because they are set for the clients of this server.
    pub fn new(
        place: &S3Place,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<S3Store, S3Error> {
        let (bucket, prefix) = bucket(&place.url)?;
        let client = |detail: String| S3Error::Client {
            url: place.url.clone(),
            detail,
        };
        let mut builder = AmazonS3Builder::new().with_region("us-east-1");
        for (name, value) in environment {
            let key = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>();
            match key {
                Ok(AmazonS3ConfigKey::Endpoint | AmazonS3ConfigKey::S3Endpoint) => {}
                Ok(key) if name.starts_with("AWS_") => builder = builder.with_config(key, value),
                _ => {}
            }
        }
        if let Some(region) = &place.region {
            builder = builder.with_region(region);
        }
        let mut options = ClientOptions::new()
            .with_timeout(S3_REQUEST_TIMEOUT)
            .with_connect_timeout(S3_CONNECT_TIMEOUT);
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_endpoint(endpoint);
            options = options.with_allow_http(endpoint.starts_with("http://"));
        }
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: S3_RETRIES,
            retry_timeout: S3_RETRY_TIMEOUT,
        };
        let objects = builder
            .with_bucket_name(bucket)
            .with_client_options(options)
            .with_retry(retry)
            .build()
            .map_err(|error| client(error.to_string()))?;
        S3Store::over(Arc::new(objects), prefix).map_err(|error| client(error.to_string()))
    }

    fn over(objects: Arc<dyn ObjectStore>, prefix: &str) -> std::io::Result<S3Store> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("objects")
            .enable_all()
            .build()?;
        Ok(S3Store {
            objects,
            prefix: Path::from(prefix),
            runtime: Some(runtime),
        })
    }

    fn path(&self, path: &str) -> Path {
        let parts = Path::from(path);
        self.prefix.parts().chain(parts.parts()).collect()
    }

    /// Waits for what `work` comes to, wherever it is called.
    fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (done, waiting) = std::sync::mpsc::sync_channel(1);
        let runtime = self
            .runtime
            .as_ref()
            .expect("it is there until the store goes");
        runtime.spawn(async move {
            // Whoever waits does not go away before.
            let _ = done.send(work.await);
        });
        waiting.recv().unwrap_or_else(|_| {
            Err(Error::Generic {
                store: "S3",
                source: "the request was given up".into(),
            })
        })
    }

    fn put(&self, path: &str, bytes: &[u8], mode: PutMode) -> Result<(), Error> {
        let (objects, at) = (Arc::clone(&self.objects), self.path(path));
        let payload = Bytes::copy_from_slice(bytes).into();
        self.wait(async move {
            let put = objects.put_opts(&at, payload, PutOptions::from(mode));
            put.await.map(|_| ())
        })
    }

    fn get(&self, path: &str) -> Result<Option<Bytes>, Error> {
        let (objects, at) = (Arc::clone(&self.objects), self.path(path));
        let got = self.wait(async move { objects.get(&at).await?.bytes().await });
        match got {
            Err(Error::NotFound { .. }) => Ok(None),
            got => got.map(Some),
        }
    }
}

impl Drop for S3Store {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The bucket and the prefix of `url`.
fn bucket(url: &str) -> Result<(&str, &str), S3Error> {
    let wrong = || S3Error::Url {
        url: url.to_owned(),
    };
    let rest = url.strip_prefix("s3://").ok_or_else(wrong)?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    match bucket.is_empty() || bucket.contains(['?', '#', '@', ':']) {
        true => Err(wrong()),
        false => Ok((bucket, prefix)),
    }
}

fn failed(path: &str, determinacy: Determinacy) -> impl FnOnce(Error) -> StoreError {
    move |error| StoreError {
        path: path.to_owned(),
        detail: error.to_string(),
        determinacy,
    }
}

impl Store for S3Store {
    fn put_new(&self, path: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        match self.put(path, bytes, PutMode::Create) {
            Ok(()) => Ok(Put::Done),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                let there = self.get(path);
                match there.map_err(failed(path, Determinacy::Indeterminate))? {
                    Some(there) if there == bytes => Ok(Put::Done),
                    Some(_) => Ok(Put::Exists),
                    // It was just being removed.
                    None => Err(StoreError {
                        path: path.to_owned(),
                        detail: "somebody else was at it at the same time".to_owned(),
                        determinacy: Determinacy::Indeterminate,
                    }),
                }
            }
            Err(error) => Err(failed(path, Determinacy::Indeterminate)(error)),
        }
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let put = self.put(path, bytes, PutMode::Overwrite);
        put.map_err(failed(path, Determinacy::Indeterminate))
    }

    fn read(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        self.get(path)
            .map_err(failed(path, Determinacy::Determinate))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let (objects, at) = (Arc::clone(&self.objects), self.path(folder));
        // Folders of a table are flat, but for those of other tables beside it.
        let listed = self.wait(async move {
            let listed = objects.list_with_delimiter(Some(&at)).await?;
            let names = listed.objects.into_iter();
            let names = names.filter_map(|object| object.location.filename().map(str::to_owned));
            Ok(names.collect::<Vec<_>>())
        });
        let mut names = listed.map_err(failed(folder, Determinacy::Determinate))?;
        names.sort();
        Ok(names)
    }

    fn delete(&self, path: &str) -> Result<(), StoreError> {
        let (objects, at) = (Arc::clone(&self.objects), self.path(path));
        match self.wait(async move { objects.delete(&at).await }) {
            Err(Error::NotFound { .. }) => Ok(()),
            deleted => deleted.map_err(failed(path, Determinacy::Indeterminate)),
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use crate::store::conforms;

    use super::*;

    fn store() -> S3Store {
        S3Store::over(Arc::new(InMemory::new()), "a/prefix").expect("a runtime")
    }

    #[test]
    fn it_does_what_a_store_does() {
        conforms(&store());
    }

    #[test]
    fn a_put_whose_answer_was_lost_finds_itself() {
        let store = store();
        assert_eq!(store.put_new("one", b"1"), Ok(Put::Done));
        assert_eq!(store.put_new("one", b"1"), Ok(Put::Done));
    }

    #[test]
    fn what_stands_beside_the_prefix_is_not_seen() {
        let store = store();
        let beside = Arc::clone(&store.objects);
        let put = store.wait(async move {
            let at = Path::from("a/prefix-2/x/one");
            beside.put(&at, Bytes::new().into()).await.map(|_| ())
        });
        put.expect("put");
        store.put_new("x/two", b"2").expect("put");
        assert_eq!(store.list("x"), Ok(vec!["two".to_owned()]));
    }

    #[tokio::test]
    async fn it_can_be_asked_and_dropped_in_a_task() {
        let store = store();
        assert_eq!(store.put_new("one", b"1"), Ok(Put::Done));
    }

    #[test]
    fn a_url_names_a_bucket() {
        assert_eq!(bucket("s3://b").expect("it does"), ("b", ""));
        assert_eq!(bucket("s3://b/x/y").expect("it does"), ("b", "x/y"));
        for wrong in ["", "b/x", "s3://", "s3:///x", "https://b", "s3://key@b"] {
            assert!(bucket(wrong).is_err(), "{wrong}");
        }
    }
}
