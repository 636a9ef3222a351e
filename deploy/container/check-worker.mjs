// Exits with 0 if the worker of this container polls its task queues, by the metrics that it serves.
const address = process.env.NAUTIL_METRICS_ADDRESS;
if (!address) {
  console.log('NAUTIL_METRICS_ADDRESS is not set: the worker is not checked');
  process.exit(0);
}
const port = address.slice(address.lastIndexOf(':') + 1);
try {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(5000) });
  const pollers = [...(await response.text()).matchAll(/^temporal_num_pollers\{[^}]*\} (\d+)$/gm)];
  const polling = pollers.reduce((sum, [, count]) => sum + Number(count), 0);
  console.log(`${polling} pollers`);
  process.exitCode = polling > 0 ? 0 : 1;
} catch (error) {
  console.log(`no metrics at port ${port}: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
