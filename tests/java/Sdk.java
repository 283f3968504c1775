// What the AWS SDK for Java does with a stream, in its two clients: the synchronous one speaks HTTP/1.1, the
// asynchronous one HTTP/2 without TLS. Both speak CBOR unless -Daws.cborEnabled=false says JSON.
//
// Usage: Sdk ENDPOINT CHECK STREAM. Ends with status 0 when everything was as it should be.

import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.Consumer;
import software.amazon.awssdk.services.kinesis.model.ConsumerStatus;
import software.amazon.awssdk.services.kinesis.model.InvalidArgumentException;
import software.amazon.awssdk.services.kinesis.model.KinesisException;
import software.amazon.awssdk.services.kinesis.model.ListStreamConsumersResponse;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.PutRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.Record;
import software.amazon.awssdk.services.kinesis.model.ResourceInUseException;
import software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException;
import software.amazon.awssdk.services.kinesis.model.ScalingType;
import software.amazon.awssdk.services.kinesis.model.ShardFilterType;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;
import software.amazon.awssdk.services.kinesis.model.StreamMode;
import software.amazon.awssdk.services.kinesis.model.StreamStatus;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardEvent;
import software.amazon.awssdk.services.kinesis.model.SubscribeToShardResponseHandler;

public final class Sdk {
    private static final String FIRST = "shardId-000000000000";
    // The SDK asks for a subscription in JSON, whatever it speaks otherwise.
    private static final Set<String> SUBSCRIPTION =
            Set.of("application/x-amz-json-1.1", "application/vnd.amazon.eventstream");
    private static final Set<String> CONTENT_TYPES = new ConcurrentSkipListSet<>();

    private final String endpoint;
    private final String stream;

    private Sdk(String endpoint, String stream) {
        this.endpoint = endpoint;
        this.stream = stream;
    }

    public static void main(String[] arguments) throws Exception {
        Sdk sdk = new Sdk(arguments[0], arguments[2]);
        switch (arguments[1]) {
            case "records" -> sdk.records();
            case "streams" -> sdk.streams();
            case "synchronous" -> sdk.synchronous();
            case "exceptions" -> sdk.exceptions();
            case "subscription" -> sdk.subscription();
            default -> throw new IllegalArgumentException("no check " + arguments[1]);
        }
        boolean cbor = !"false".equals(System.getProperty("aws.cborEnabled"));
        String expected = cbor ? "application/x-amz-cbor-1.1" : "application/x-amz-json-1.1";
        Set<String> spoken = new TreeSet<>(Set.of(expected));
        if (arguments[1].equals("subscription")) {
            spoken.addAll(SUBSCRIPTION);
        }
        equal(spoken, CONTENT_TYPES, "what was spoken both ways");
        System.exit(0);
    }

    /** Records of all kinds of bytes go in and come back, with the time of their arrival. */
    private void records() {
        KinesisAsyncClient client = build(KinesisAsyncClient.builder());
        create(client, 2);
        byte[] bytes = new byte[256];
        for (int index = 0; index < bytes.length; index++) {
            bytes[index] = (byte) index;
        }
        var put = client.putRecord(r -> r.streamName(stream)
                        .partitionKey("schlüssel")
                        .explicitHashKey("0")
                        .data(SdkBytes.fromByteArray(bytes)))
                .join();
        equal(FIRST, put.shardId(), "the shard of hash key 0");
        List<PutRecordsRequestEntry> entries = new ArrayList<>();
        for (int index = 0; index < 500; index++) {
            SdkBytes data = SdkBytes.fromUtf8String(Integer.toString(index));
            entries.add(PutRecordsRequestEntry.builder()
                    .partitionKey("k")
                    .explicitHashKey("0")
                    .data(data)
                    .build());
        }
        PutRecordsResponse many =
                client.putRecords(r -> r.streamName(stream).records(entries)).join();
        equal(0, many.failedRecordCount(), "entries that failed");
        equal(500, many.records().size(), "entries in the answer");

        List<Record> found = read(client, ShardIteratorType.TRIM_HORIZON, null, 501);
        equal(SdkBytes.fromByteArray(bytes), found.get(0).data(), "the bytes");
        equal("schlüssel", found.get(0).partitionKey(), "the key");
        equal(put.sequenceNumber(), found.get(0).sequenceNumber(), "the number");
        for (int index = 0; index < 500; index++) {
            equal(Integer.toString(index), found.get(index + 1).data().asUtf8String(), "the order");
        }
        Instant arrived = found.get(500).approximateArrivalTimestamp();
        recent(arrived, "the arrival");
        equal(501, read(client, ShardIteratorType.AT_TIMESTAMP, arrived.minusSeconds(3600), 501).size(), "since an hour");
        Record since = read(client, ShardIteratorType.AT_TIMESTAMP, arrived, 1).get(0);
        equal(arrived, since.approximateArrivalTimestamp(), "the time of an answer, given in a request");
    }

    /** A stream is described, resharded, tagged, kept for longer, listed and deleted. */
    private void streams() throws InterruptedException {
        KinesisAsyncClient client = build(KinesisAsyncClient.builder());
        create(client, 2);
        var described = client.describeStream(r -> r.streamName(stream)).join().streamDescription();
        equal(2, described.shards().size(), "shards");
        recent(described.streamCreationTimestamp(), "the creation");
        client.splitShard(r -> r.streamName(stream).shardToSplit(FIRST).newStartingHashKey("12345")).join();
        active(client);
        client.mergeShards(r -> r.streamName(stream)
                        .shardToMerge("shardId-000000000002")
                        .adjacentShardToMerge("shardId-000000000003"))
                .join();
        active(client);
        equal(5, client.listShards(r -> r.streamName(stream)).join().shards().size(), "all shards");
        var open = client.listShards(
                        r -> r.streamName(stream).shardFilter(f -> f.type(ShardFilterType.AT_LATEST)))
                .join();
        equal(2, open.shards().size(), "open shards");
        client.addTagsToStream(r -> r.streamName(stream).tags(Map.of("team", "mill", "stage", "test"))).join();
        client.removeTagsFromStream(r -> r.streamName(stream).tagKeys("stage")).join();
        var tags = client.listTagsForStream(r -> r.streamName(stream)).join().tags();
        equal("[team=mill]", tags.stream().map(tag -> tag.key() + "=" + tag.value()).toList().toString(), "tags");
        client.increaseStreamRetentionPeriod(r -> r.streamName(stream).retentionPeriodHours(48)).join();
        active(client);
        client.decreaseStreamRetentionPeriod(r -> r.streamName(stream).retentionPeriodHours(24)).join();
        active(client);
        var registered = client.registerStreamConsumer(
                        r -> r.streamARN(described.streamARN()).consumerName("reader"))
                .join()
                .consumer();
        recent(registered.consumerCreationTimestamp(), "the registration");
        var consumer = client.describeStreamConsumer(r -> r.consumerARN(registered.consumerARN()))
                .join()
                .consumerDescription();
        equal(described.streamARN(), consumer.streamARN(), "the stream of the consumer");
        var consumers = client.listStreamConsumers(r -> r.streamARN(described.streamARN())).join();
        equal(1, consumers.consumers().size(), "consumers");
        client.deregisterStreamConsumer(r -> r.consumerARN(registered.consumerARN())).join();
        var scaled = client.updateShardCount(
                        r -> r.streamName(stream).targetShardCount(4).scalingType(ScalingType.UNIFORM_SCALING))
                .join();
        equal(2, scaled.currentShardCount(), "shards before");
        active(client);
        client.updateStreamMode(r -> r.streamARN(described.streamARN())
                        .streamModeDetails(m -> m.streamMode(StreamMode.ON_DEMAND)))
                .join();
        active(client);
        check(client.listStreams().join().streamNames().contains(stream), "the stream is listed");
        client.deleteStream(r -> r.streamName(stream)).join();
        client.waiter().waitUntilStreamNotExists(r -> r.streamName(stream)).join();
    }

    /** The same over HTTP/1.1, with the client that most programs use. */
    private void synchronous() {
        KinesisClient client = build(KinesisClient.builder());
        client.createStream(r -> r.streamName(stream).shardCount(1));
        client.waiter().waitUntilStreamExists(r -> r.streamName(stream));
        var put = client.putRecord(r -> r.streamName(stream).partitionKey("k").data(SdkBytes.fromUtf8String("x")));
        String place = client.getShardIterator(r -> r.streamName(stream)
                        .shardId(put.shardId())
                        .shardIteratorType(ShardIteratorType.AT_SEQUENCE_NUMBER)
                        .startingSequenceNumber(put.sequenceNumber()))
                .shardIterator();
        var page = client.getRecords(r -> r.shardIterator(place));
        equal("x", page.records().get(0).data().asUtf8String(), "the record");
        recent(page.records().get(0).approximateArrivalTimestamp(), "the arrival");
        equal(0L, page.millisBehindLatest(), "how far behind");
        check(page.nextShardIterator() != null, "the shard goes on");
        client.deleteStream(r -> r.streamName(stream));
        client.waiter().waitUntilStreamNotExists(r -> r.streamName(stream));
    }

    /** Records are pushed to a consumer until its shard ends. */
    private void subscription() throws Exception {
        KinesisAsyncClient client = build(KinesisAsyncClient.builder());
        create(client, 1);
        String arn = client.describeStreamSummary(r -> r.streamName(stream))
                .join()
                .streamDescriptionSummary()
                .streamARN();
        String consumer = client.registerStreamConsumer(r -> r.streamARN(arn).consumerName("reader"))
                .join()
                .consumer()
                .consumerARN();
        eventually(
                () -> client.describeStreamConsumer(r -> r.consumerARN(consumer))
                                .join()
                                .consumerDescription()
                                .consumerStatus()
                        == ConsumerStatus.ACTIVE,
                "the consumer is active");
        for (int number = 0; number < 10; number++) {
            put(client, number);
        }
        List<String> found = Collections.synchronizedList(new ArrayList<>());
        AtomicReference<SubscribeToShardEvent> last = new AtomicReference<>();
        AtomicBoolean answered = new AtomicBoolean();
        var handler = SubscribeToShardResponseHandler.builder()
                .onResponse(answer -> answered.set(true))
                .subscriber(SubscribeToShardResponseHandler.Visitor.builder()
                        .onSubscribeToShardEvent(event -> {
                            last.set(event);
                            event.records().forEach(record -> {
                                recent(record.approximateArrivalTimestamp(), "the arrival");
                                found.add(record.data().asUtf8String());
                            });
                        })
                        .build())
                .build();
        CompletableFuture<Void> ended = client.subscribeToShard(
                r -> r.consumerARN(consumer)
                        .shardId(FIRST)
                        .startingPosition(p -> p.type(ShardIteratorType.TRIM_HORIZON)),
                handler);
        eventually(() -> found.size() >= 10, "what was there before is pushed");
        put(client, 10);
        eventually(() -> found.size() >= 11, "what comes later is pushed");
        client.splitShard(r -> r.streamName(stream)
                        .shardToSplit(FIRST)
                        .newStartingHashKey("170141183460469231731687303715884105728"))
                .join();
        ended.get(30, TimeUnit.SECONDS);
        check(answered.get(), "the answer has begun with its initial response");
        equal("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", found.toString(), "the records");
        equal(2, last.get().childShards().size(), "children at the end");
        equal(List.of(consumer), names(client.listStreamConsumers(r -> r.streamARN(arn)).join()), "consumers");
        client.deregisterStreamConsumer(r -> r.consumerARN(consumer)).join();
        var gone = client.subscribeToShard(
                r -> r.consumerARN(consumer).shardId(FIRST).startingPosition(p -> p.type(ShardIteratorType.LATEST)),
                handler);
        fails(KinesisException.class, gone);
    }

    private static List<String> names(ListStreamConsumersResponse answer) {
        return answer.consumers().stream().map(Consumer::consumerARN).toList();
    }

    private void put(KinesisAsyncClient client, int number) {
        SdkBytes data = SdkBytes.fromUtf8String(Integer.toString(number));
        client.putRecord(r -> r.streamName(stream).partitionKey("k").data(data)).join();
    }

    private static void eventually(BooleanSupplier condition, String what) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.getAsBoolean()) {
            check(System.nanoTime() < deadline, "within 30 s: " + what);
            Thread.sleep(20);
        }
    }

    /** Each exception arrives as its own type, with its message and the id of the request. */
    private void exceptions() {
        KinesisAsyncClient client = build(KinesisAsyncClient.builder());
        var missing = fails(ResourceNotFoundException.class, client.describeStream(r -> r.streamName("nowhere")));
        equal("Stream nowhere under account 000000000000 not found.", missing.awsErrorDetails().errorMessage(), "why");
        equal(400, missing.statusCode(), "the status");
        equal(36, missing.requestId().length(), "the length of the request's id");
        create(client, 1);
        fails(ResourceInUseException.class, client.createStream(r -> r.streamName(stream).shardCount(1)));
        fails(InvalidArgumentException.class, client.getRecords(r -> r.shardIterator("nonsense")));
        var broken = fails(KinesisException.class, client.createStream(r -> r.streamName("a b").shardCount(1)));
        equal("ValidationException", broken.awsErrorDetails().errorCode(), "the code");
    }

    private void create(KinesisAsyncClient client, int shards) {
        client.createStream(r -> r.streamName(stream).shardCount(shards)).join();
        client.waiter().waitUntilStreamExists(r -> r.streamName(stream)).join();
    }

    private void active(KinesisAsyncClient client) throws InterruptedException {
        eventually(
                () -> client.describeStreamSummary(r -> r.streamName(stream))
                                .join()
                                .streamDescriptionSummary()
                                .streamStatus()
                        == StreamStatus.ACTIVE,
                "the stream is active");
    }

    private List<Record> read(KinesisAsyncClient client, ShardIteratorType kind, Instant from, int enough) {
        String place = client.getShardIterator(r ->
                        r.streamName(stream).shardId(FIRST).shardIteratorType(kind).timestamp(from))
                .join()
                .shardIterator();
        List<Record> found = new ArrayList<>();
        for (int page = 0; page < 100 && found.size() < enough; page++) {
            String here = place;
            var answer = client.getRecords(r -> r.shardIterator(here).limit(200)).join();
            found.addAll(answer.records());
            place = answer.nextShardIterator();
        }
        return found;
    }

    private <B extends AwsClientBuilder<B, C>, C> C build(B builder) {
        var credentials = StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test"));
        return builder.endpointOverride(URI.create(endpoint))
                .region(Region.US_EAST_1)
                .credentialsProvider(credentials)
                .overrideConfiguration(o -> o.addExecutionInterceptor(new Listener()))
                .build();
    }

    /** Notes what is spoken. */
    private static final class Listener implements ExecutionInterceptor {
        @Override
        public void afterTransmission(Context.AfterTransmission context, ExecutionAttributes attributes) {
            context.httpRequest().firstMatchingHeader("Content-Type").ifPresent(CONTENT_TYPES::add);
            context.httpResponse().firstMatchingHeader("Content-Type").ifPresent(CONTENT_TYPES::add);
        }
    }

    private static <E extends Throwable> E fails(Class<E> kind, CompletableFuture<?> call) {
        try {
            Object answer = call.get(30, TimeUnit.SECONDS);
            throw new AssertionError("was not refused, but answered " + answer);
        } catch (ExecutionException failure) {
            check(kind.isInstance(failure.getCause()), failure.getCause() + " is a " + kind.getSimpleName());
            return kind.cast(failure.getCause());
        } catch (InterruptedException | TimeoutException failure) {
            throw new AssertionError(failure);
        }
    }

    private static void recent(Instant time, String what) {
        Duration age = Duration.between(time, Instant.now()).abs();
        check(age.compareTo(Duration.ofMinutes(2)) < 0, what + " is now, and not " + time);
    }

    private static void equal(Object expected, Object found, String what) {
        check(expected.equals(found), what + ": " + found + " and not " + expected);
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
