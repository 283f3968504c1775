//! Which service is spoken to, and how: [`Dialect`].

use crate::encoding::Encoding;
use crate::target::JsonService;

const CBOR: &str = "application/x-amz-cbor-1.1";

/// A service and the encoding of its bodies; answers speak as their requests did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The service.
    pub service: JsonService,
    /// The encoding.
    pub encoding: Encoding,
}

impl Dialect {
    /// `service` in JSON.
    pub const fn json(service: JsonService) -> Dialect {
        Dialect {
            service,
            encoding: Encoding::Json,
        }
    }

    /// Kinesis in CBOR.
    pub const CBOR: Dialect = Dialect {
        service: JsonService::Kinesis,
        encoding: Encoding::Cbor,
    };

    /// The dialect of `service` whose media type is `media_type`.
    pub fn of(service: JsonService, media_type: &str) -> Option<Dialect> {
        let cbor = (service == JsonService::Kinesis).then_some(Dialect::CBOR);
        let mut dialects = [Some(Dialect::json(service)), cbor].into_iter().flatten();
        dialects.find(|dialect| dialect.media_type() == media_type)
    }

    /// The media type of requests and answers.
    pub fn media_type(self) -> &'static str {
        match self.encoding {
            Encoding::Json => self.service.media_type(),
            Encoding::Cbor => CBOR,
        }
    }
}
