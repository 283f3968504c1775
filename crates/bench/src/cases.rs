//! The workloads of the stream benchmark: [`Case`]. Pure.
//!
//! What must hold: a name says operation, size and connections, so that a figure of one run can be
//! found in another.

use bytes::Bytes;

use crate::bodies;
use crate::report::Workload;

/// The stream that all workloads use.
pub const STREAM: &str = "bench";

/// Records of 1 KiB that a page has when a shard holds as many: AWS's most.
pub const PAGE_RECORDS: u64 = 10_000;

/// What a request of a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// PutRecords with [`bodies::ENTRIES`] records.
    PutRecords,
    /// PutRecord.
    PutRecord,
    /// Draining shards with GetRecords.
    GetRecords,
}

/// One workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The operation.
    pub operation: Operation,
    /// Data of a record.
    pub record_bytes: usize,
    /// Requests in flight.
    pub connections: usize,
}

/// All workloads with each number of `connections`.
pub fn all(connections: &[usize]) -> Vec<Case> {
    let kinds = [
        (Operation::PutRecords, 1024),
        (Operation::PutRecords, 100),
        (Operation::PutRecord, 1024),
        (Operation::GetRecords, 1024),
    ];
    let cases = kinds.into_iter().flat_map(|(operation, record_bytes)| {
        connections.iter().map(move |connections| Case {
            operation,
            record_bytes,
            connections: *connections,
        })
    });
    cases.collect()
}

impl Case {
    /// Its stable name.
    pub fn name(&self) -> String {
        let operation = match self.operation {
            Operation::PutRecords => "put_records",
            Operation::PutRecord => "put_record",
            Operation::GetRecords => "get_records",
        };
        let size = match self.record_bytes {
            1024 => "1_kib".to_owned(),
            bytes => format!("{bytes}_b"),
        };
        format!("{operation}_{size}_{}", self.connections)
    }

    /// AWS's name of the operation that puts or reads.
    pub fn operation_name(&self) -> &'static str {
        match self.operation {
            Operation::PutRecords => "PutRecords",
            Operation::PutRecord => "PutRecord",
            Operation::GetRecords => "GetRecords",
        }
    }

    /// Records in a request.
    pub fn entries(&self) -> usize {
        match self.operation {
            Operation::PutRecords => bodies::ENTRIES,
            Operation::PutRecord => 1,
            Operation::GetRecords => PAGE_RECORDS as usize,
        }
    }

    /// Body number `seed` of a request that puts.
    pub fn body(&self, seed: u64) -> Bytes {
        match self.operation {
            Operation::PutRecord => bodies::put_record(STREAM, self.record_bytes, seed),
            Operation::PutRecords | Operation::GetRecords => {
                bodies::put_records(STREAM, self.record_bytes, seed)
            }
        }
    }

    /// Bytes of records in one request that puts.
    pub fn stored_bytes(&self) -> u64 {
        (self.entries() * self.record_bytes) as u64
    }

    /// As the report has it; `body_bytes` is the size of a request's body or an answer's.
    pub fn workload(&self, body_bytes: usize, shards: usize) -> Workload {
        Workload {
            operation: self.operation_name(),
            entries: self.entries(),
            record_bytes: self.record_bytes,
            body_bytes,
            connections: self.connections,
            shards,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_a_name_of_its_own() {
        let mut names: Vec<String> = all(&[1, 8]).iter().map(Case::name).collect();
        assert_eq!(names[0], "put_records_1_kib_1");
        assert_eq!(names[3], "put_records_100_b_8");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 8);
    }
}
