// A worker of the Kinesis Client Library, configured to notice everything within seconds.
//
// Prints one line for each thing that happens, beginning with the time of the machine's monotonic clock, which
// workers share: `TIME start|lost|ended SHARD` and `TIME record SHARD SEQUENCE SUBSEQUENCE KEY DATA`. A record is
// printed before it is checkpointed. Ends when its standard input does.

import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.common.KinesisClientUtil;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.exceptions.InvalidStateException;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.processor.RecordProcessorCheckpointer;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.fanout.FanOutConfig;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

public final class Worker {
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    public static void main(String[] arguments) throws Exception {
        String stream = arguments[2];
        String application = arguments[3];
        KinesisAsyncClient kinesis =
                KinesisClientUtil.createKinesisAsyncClient(at(KinesisAsyncClient.builder(), arguments[0]));
        DynamoDbAsyncClient leases = at(DynamoDbAsyncClient.builder(), arguments[1]).build();
        CloudWatchAsyncClient metrics = at(CloudWatchAsyncClient.builder(), arguments[1]).build();
        var start = InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
        var tracker = new SingleStreamTracker(stream, start);
        var configs = new ConfigsBuilder(
                tracker, application, kinesis, leases, metrics, arguments[4], Printer::new);
        Scheduler scheduler = scheduler(configs, kinesis, stream, application, arguments[5].equals("fan-out"));
        Thread thread = new Thread(scheduler);
        thread.setDaemon(true);
        thread.start();
        while (System.in.read() >= 0) {}
        scheduler.startGracefulShutdown().get(20, TimeUnit.SECONDS);
        System.exit(0);
    }

    private static Scheduler scheduler(
            ConfigsBuilder configs, KinesisAsyncClient kinesis, String stream, String application, boolean fanOut) {
        var leasing = configs.leaseManagementConfig()
                .failoverTimeMillis(3000)
                .shardSyncIntervalMillis(1000)
                .listShardsBackoffTimeInMillis(200)
                .leasesRecoveryAuditorExecutionFrequencyMillis(2000);
        leasing.workerUtilizationAwareAssignmentConfig()
                .disableWorkerMetrics(true)
                .inMemoryWorkerMetricsCaptureFrequencyMillis(1000)
                .workerMetricsReporterFreqInMillis(1000);
        leasing.gracefulLeaseHandoffConfig().isGracefulLeaseHandoffEnabled(false);
        var coordinator = configs.coordinatorConfig()
                .parentShardPollIntervalMillis(200)
                .shardConsumerDispatchPollIntervalMillis(100)
                .schedulerInitializationBackoffTimeMillis(200);
        var retrieval = configs.retrievalConfig();
        if (fanOut) {
            retrieval.retrievalSpecificConfig(
                    new FanOutConfig(kinesis).streamName(stream).applicationName(application));
        } else {
            retrieval.retrievalSpecificConfig(
                    new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(200));
        }
        var metrics = configs.metricsConfig().metricsBufferTimeMillis(1000);
        return new Scheduler(
                configs.checkpointConfig(),
                coordinator,
                leasing,
                configs.lifecycleConfig(),
                metrics,
                configs.processorConfig(),
                retrieval);
    }

    private static <B extends AwsClientBuilder<B, ?>> B at(B builder, String endpoint) {
        var credentials = StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test"));
        return builder.endpointOverride(URI.create(endpoint))
                .region(Region.US_EAST_1)
                .credentialsProvider(credentials);
    }

    /** Prints what it is given, checkpoints after it. */
    private static final class Printer implements ShardRecordProcessor {
        private String shard;

        @Override
        public void initialize(InitializationInput input) {
            shard = input.shardId();
            say("start", "");
        }

        @Override
        public void processRecords(ProcessRecordsInput input) {
            for (var record : input.records()) {
                String data = StandardCharsets.UTF_8.decode(record.data()).toString();
                say("record", String.join(
                        " ",
                        record.sequenceNumber(),
                        Long.toString(record.subSequenceNumber()),
                        record.partitionKey(),
                        data));
            }
            checkpoint(input.checkpointer());
        }

        @Override
        public void leaseLost(LeaseLostInput input) {
            say("lost", "");
        }

        @Override
        public void shardEnded(ShardEndedInput input) {
            say("ended", "");
            checkpoint(input.checkpointer());
        }

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) {
            checkpoint(input.checkpointer());
        }

        private void checkpoint(RecordProcessorCheckpointer checkpointer) {
            try {
                checkpointer.checkpoint();
            } catch (ShutdownException lost) {
                say("lost", "");
            } catch (InvalidStateException noTable) {
                throw new IllegalStateException(noTable);
            }
        }

        private void say(String what, String rest) {
            OUT.println((System.nanoTime() + " " + what + " " + shard + " " + rest).trim());
        }
    }
}
