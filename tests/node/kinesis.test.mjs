// The AWS SDK for JavaScript, unmodified, over HTTP/2 and over HTTP/1.1: streams, shards and records.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  AddTagsToStreamCommand,
  CreateStreamCommand,
  DecreaseStreamRetentionPeriodCommand,
  DeleteResourcePolicyCommand,
  DeleteStreamCommand,
  DeregisterStreamConsumerCommand,
  DescribeAccountSettingsCommand,
  DescribeLimitsCommand,
  DescribeStreamCommand,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  DisableEnhancedMonitoringCommand,
  EnableEnhancedMonitoringCommand,
  GetRecordsCommand,
  GetResourcePolicyCommand,
  GetShardIteratorCommand,
  IncreaseStreamRetentionPeriodCommand,
  ListShardsCommand,
  ListStreamConsumersCommand,
  ListStreamsCommand,
  ListTagsForResourceCommand,
  ListTagsForStreamCommand,
  MergeShardsCommand,
  PutRecordCommand,
  PutRecordsCommand,
  PutResourcePolicyCommand,
  RegisterStreamConsumerCommand,
  RemoveTagsFromStreamCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  SplitShardCommand,
  StartStreamEncryptionCommand,
  StopStreamEncryptionCommand,
  SubscribeToShardCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateAccountSettingsCommand,
  UpdateMaxRecordSizeCommand,
  UpdateShardCountCommand,
  UpdateStreamModeCommand,
  waitUntilStreamExists,
  waitUntilStreamNotExists,
} from "@aws-sdk/client-kinesis";
import { Server, WAYS, eventually, unique } from "./server.mjs";

const FIRST = "shardId-000000000000";
const server = new Server();
const bytes = (text) => new TextEncoder().encode(text);
const text = (data) => new TextDecoder().decode(data);

before(() => server.start());
after(() => server.stop());

for (const way of Object.keys(WAYS)) {
  describe(way, () => {
    let client;
    before(() => {
      client = server.client(way);
      const spoken = client.config.requestHandler.metadata.handlerProtocol;
      assert.equal(spoken, way === "HTTP/2" ? "h2" : "http/1.1");
    });
    after(() => client.destroy());

    const summary = async (name) =>
      (await client.send(new DescribeStreamSummaryCommand({ StreamName: name }))).StreamDescriptionSummary;
    const active = (name) =>
      eventually(async () => (await summary(name)).StreamStatus === "ACTIVE", `${name} is active`);

    async function stream(shards) {
      const name = unique("stream");
      await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shards }));
      await waitUntilStreamExists({ client, maxWaitTime: 30, minDelay: 1 }, { StreamName: name });
      return name;
    }

    async function read(name, count, from = { ShardIteratorType: "TRIM_HORIZON" }) {
      const place = { StreamName: name, ShardId: FIRST, ...from };
      let { ShardIterator } = await client.send(new GetShardIteratorCommand(place));
      const records = [];
      await eventually(async () => {
        const page = await client.send(new GetRecordsCommand({ ShardIterator }));
        records.push(...page.Records);
        ShardIterator = page.NextShardIterator;
        return records.length >= count;
      }, `${count} records are read`);
      return records;
    }

    test("a record comes back as it was put", async () => {
      const name = await stream(2);
      const data = Uint8Array.from({ length: 256 }, (_, index) => index);
      const put = await client.send(
        new PutRecordCommand({ StreamName: name, PartitionKey: "schlüssel", ExplicitHashKey: "0", Data: data }),
      );
      assert.equal(put.ShardId, FIRST);
      const [record] = await read(name, 1);
      assert.deepEqual(record.Data, data);
      assert.equal(record.PartitionKey, "schlüssel");
      assert.equal(record.SequenceNumber, put.SequenceNumber);
      assert(Math.abs(record.ApproximateArrivalTimestamp - new Date()) < 60_000);
      const again = await read(name, 1, {
        ShardIteratorType: "AT_TIMESTAMP",
        Timestamp: record.ApproximateArrivalTimestamp,
      });
      assert.equal(again[0].SequenceNumber, put.SequenceNumber);
    });

    test("many records are put in the order of the request", async () => {
      const name = await stream(1);
      const Records = Array.from({ length: 500 }, (_, index) => ({ PartitionKey: "k", Data: bytes(`${index}`) }));
      const put = await client.send(new PutRecordsCommand({ StreamName: name, Records }));
      assert.equal(put.FailedRecordCount, 0);
      assert.equal(put.Records.length, 500);
      const found = await read(name, 500);
      assert.deepEqual(found.map((record) => text(record.Data)), Records.map((entry) => text(entry.Data)));
    });

    test("a megabyte is put and read", async () => {
      const name = await stream(1);
      const data = new Uint8Array(1_048_575).fill(7);
      await client.send(new PutRecordCommand({ StreamName: name, PartitionKey: "k", Data: data }));
      const [record] = await read(name, 1);
      assert.equal(Buffer.compare(record.Data, data), 0);
    });

    test("a record is as large as its stream allows", async () => {
      const name = await stream(1);
      const { StreamARN } = await summary(name);
      await client.send(new UpdateMaxRecordSizeCommand({ StreamARN, MaxRecordSizeInKiB: 10_240 }));
      await active(name);
      assert.equal((await summary(name)).MaxRecordSizeInKiB, 10_240);
      const data = new Uint8Array(10 * 1_048_576 - 1).fill(7);
      await client.send(new PutRecordCommand({ StreamName: name, PartitionKey: "k", Data: data }));
      const [record] = await read(name, 1);
      assert.equal(Buffer.compare(record.Data, data), 0);
    });

    test("many requests are under way at once", async () => {
      const name = await stream(1);
      const puts = Array.from({ length: 50 }, (_, index) =>
        client.send(new PutRecordCommand({ StreamName: name, PartitionKey: "k", Data: bytes(`${index}`) })),
      );
      const numbers = (await Promise.all(puts)).map((put) => put.SequenceNumber);
      assert.equal(new Set(numbers).size, 50);
      assert.equal((await read(name, 50)).length, 50);
    });

    test("a stream is described, listed and deleted", async () => {
      const name = await stream(3);
      const described = (await client.send(new DescribeStreamCommand({ StreamName: name }))).StreamDescription;
      assert.equal(described.Shards.length, 3);
      assert(described.StreamCreationTimestamp instanceof Date);
      const first = await client.send(new DescribeStreamCommand({ StreamName: name, Limit: 1 }));
      assert(first.StreamDescription.HasMoreShards);
      const listed = await client.send(new ListStreamsCommand({ ExclusiveStartStreamName: name.slice(0, -1) }));
      assert(listed.StreamNames.includes(name));
      await client.send(new DeleteStreamCommand({ StreamName: name }));
      await waitUntilStreamNotExists({ client, maxWaitTime: 30, minDelay: 1 }, { StreamName: name });
    });

    test("shards are split, merged and listed", async () => {
      const name = await stream(1);
      const at = String(2n ** 127n);
      await client.send(new SplitShardCommand({ StreamName: name, ShardToSplit: FIRST, NewStartingHashKey: at }));
      await active(name);
      const { Shards } = await client.send(
        new ListShardsCommand({ StreamName: name, ShardFilter: { Type: "AT_LATEST" } }),
      );
      assert.deepEqual(Shards.map((shard) => shard.ParentShardId), [FIRST, FIRST]);
      const [lower, upper] = Shards.map((shard) => shard.ShardId);
      await client.send(
        new MergeShardsCommand({ StreamName: name, ShardToMerge: lower, AdjacentShardToMerge: upper }),
      );
      await active(name);
      assert.equal((await summary(name)).OpenShardCount, 1);
      const place = await client.send(
        new GetShardIteratorCommand({ StreamName: name, ShardId: FIRST, ShardIteratorType: "LATEST" }),
      );
      const end = await client.send(new GetRecordsCommand({ ShardIterator: place.ShardIterator }));
      assert.equal(end.NextShardIterator, undefined);
      assert.deepEqual(end.ChildShards.map((child) => child.ShardId), [lower, upper]);
    });

    test("shards are scaled", async () => {
      const name = await stream(2);
      const scaled = await client.send(
        new UpdateShardCountCommand({ StreamName: name, TargetShardCount: 4, ScalingType: "UNIFORM_SCALING" }),
      );
      assert.equal(scaled.CurrentShardCount, 2);
      assert.equal(scaled.TargetShardCount, 4);
      await active(name);
      assert.equal((await summary(name)).OpenShardCount, 4);
    });

    async function consumer(StreamARN) {
      const registered = await client.send(
        new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: unique("consumer") }),
      );
      const { ConsumerARN } = registered.Consumer;
      await eventually(async () => {
        const described = await client.send(new DescribeStreamConsumerCommand({ ConsumerARN }));
        return described.ConsumerDescription.ConsumerStatus === "ACTIVE";
      }, `${ConsumerARN} is active`);
      return ConsumerARN;
    }

    test("a consumer is registered, listed and deregistered", async () => {
      const { StreamARN } = await summary(await stream(1));
      const ConsumerARN = await consumer(StreamARN);
      const listed = async () => (await client.send(new ListStreamConsumersCommand({ StreamARN }))).Consumers;
      assert.deepEqual((await listed()).map((each) => each.ConsumerARN), [ConsumerARN]);
      await client.send(new DeregisterStreamConsumerCommand({ ConsumerARN }));
      await eventually(async () => (await listed()).length === 0, "the consumer is gone");
    });

    test("records are pushed to a consumer until its shard ends", async () => {
      const name = await stream(1);
      const put = (number) =>
        client.send(new PutRecordCommand({ StreamName: name, PartitionKey: "k", Data: bytes(`${number}`) }));
      for (let number = 0; number < 10; number += 1) await put(number);
      const subscription = await client.send(
        new SubscribeToShardCommand({
          ConsumerARN: await consumer((await summary(name)).StreamARN),
          ShardId: FIRST,
          StartingPosition: { Type: "TRIM_HORIZON" },
        }),
      );
      const found = [];
      let last;
      for await (const { SubscribeToShardEvent: event } of subscription.EventStream) {
        last = event;
        for (const record of event.Records) {
          assert(record.ApproximateArrivalTimestamp instanceof Date);
          found.push(Number(text(record.Data)));
          if (found.length === 10) await put(10);
          if (found.length === 11) {
            const at = String(2n ** 127n);
            await client.send(
              new SplitShardCommand({ StreamName: name, ShardToSplit: FIRST, NewStartingHashKey: at }),
            );
          }
        }
      }
      assert.deepEqual(found, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      assert.equal(last.ChildShards.length, 2);
      assert.equal(last.ContinuationSequenceNumber, undefined);
    });

    test("tags, retention, monitoring and mode are changed", async () => {
      const name = await stream(1);
      await client.send(new AddTagsToStreamCommand({ StreamName: name, Tags: { team: "mill", stage: "test" } }));
      await client.send(new RemoveTagsFromStreamCommand({ StreamName: name, TagKeys: ["stage"] }));
      const { Tags } = await client.send(new ListTagsForStreamCommand({ StreamName: name }));
      assert.deepEqual(Tags, [{ Key: "team", Value: "mill" }]);
      await client.send(new IncreaseStreamRetentionPeriodCommand({ StreamName: name, RetentionPeriodHours: 48 }));
      await active(name);
      assert.equal((await summary(name)).RetentionPeriodHours, 48);
      await client.send(new DecreaseStreamRetentionPeriodCommand({ StreamName: name, RetentionPeriodHours: 24 }));
      await active(name);
      const monitored = { StreamName: name, ShardLevelMetrics: ["IncomingBytes"] };
      const on = await client.send(new EnableEnhancedMonitoringCommand(monitored));
      assert.deepEqual(on.DesiredShardLevelMetrics, ["IncomingBytes"]);
      await active(name);
      const off = await client.send(new DisableEnhancedMonitoringCommand(monitored));
      assert.deepEqual(off.CurrentShardLevelMetrics, ["IncomingBytes"]);
      await active(name);
      const { StreamARN } = await summary(name);
      const StreamModeDetails = { StreamMode: "ON_DEMAND" };
      await client.send(new UpdateStreamModeCommand({ StreamARN, StreamModeDetails }));
      await active(name);
      assert.deepEqual((await summary(name)).StreamModeDetails, StreamModeDetails);
    });

    test("a resource has tags and a policy", async () => {
      const { StreamARN: ResourceARN } = await summary(await stream(1));
      await client.send(new TagResourceCommand({ ResourceARN, Tags: { team: "mill", stage: "test" } }));
      await client.send(new UntagResourceCommand({ ResourceARN, TagKeys: ["stage"] }));
      const { Tags } = await client.send(new ListTagsForResourceCommand({ ResourceARN }));
      assert.deepEqual(Tags, [{ Key: "team", Value: "mill" }]);
      const Policy = JSON.stringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Principal: { AWS: "arn:aws:iam::111122223333:root" },
            Action: ["kinesis:PutRecord"],
            Resource: ResourceARN,
          },
        ],
      });
      await client.send(new PutResourcePolicyCommand({ ResourceARN, Policy }));
      const found = await client.send(new GetResourcePolicyCommand({ ResourceARN }));
      assert.deepEqual(JSON.parse(found.Policy), JSON.parse(Policy));
      await client.send(new DeleteResourcePolicyCommand({ ResourceARN }));
      assert.deepEqual(JSON.parse((await client.send(new GetResourcePolicyCommand({ ResourceARN }))).Policy), {});
    });

    test("a stream is encrypted and not encrypted any more", async () => {
      const name = await stream(1);
      const key = { StreamName: name, EncryptionType: "KMS", KeyId: "alias/aws/kinesis" };
      await client.send(new StartStreamEncryptionCommand(key));
      await active(name);
      assert.equal((await summary(name)).EncryptionType, "KMS");
      const put = await client.send(
        new PutRecordCommand({ StreamName: name, PartitionKey: "k", Data: bytes("secret") }),
      );
      assert.equal(put.EncryptionType, "KMS");
      const [record] = await read(name, 1);
      assert.equal(record.EncryptionType, "KMS");
      assert.equal(text(record.Data), "secret");
      await client.send(new StopStreamEncryptionCommand(key));
      await active(name);
    });

    test("an account has limits and settings", async () => {
      const other = server.client(way, way === "HTTP/2" ? "111122223333" : "444455556666");
      const limits = await other.send(new DescribeLimitsCommand({}));
      assert.equal(limits.OpenShardCount, 0);
      assert(limits.OnDemandStreamCountLimit > limits.OnDemandStreamCount);
      const MinimumThroughputBillingCommitment = { Status: "ENABLED" };
      await other.send(new UpdateAccountSettingsCommand({ MinimumThroughputBillingCommitment }));
      const settings = await other.send(new DescribeAccountSettingsCommand({}));
      assert.equal(settings.MinimumThroughputBillingCommitment.Status, "ENABLED");
      assert(settings.MinimumThroughputBillingCommitment.StartedAt instanceof Date);
      other.destroy();
    });

    test("an exception arrives as its own class, with its message and the ids of the request", async () => {
      const missing = await client.send(new DescribeStreamCommand({ StreamName: "nowhere" })).catch((error) => error);
      assert(missing instanceof ResourceNotFoundException);
      assert.equal(missing.message, "Stream nowhere under account 000000000000 not found.");
      assert.equal(missing.$metadata.httpStatusCode, 400);
      assert.equal(missing.$metadata.requestId.length, 36);
      assert(missing.$metadata.extendedRequestId);
      const name = await stream(1);
      const again = new CreateStreamCommand({ StreamName: name, ShardCount: 1 });
      assert((await client.send(again).catch((error) => error)) instanceof ResourceInUseException);
    });
  });
}
