import { type Static, Type } from '@sinclair/typebox';

/** One row of a metric. */
export interface Metric {
  key: string;
  value: number;
  step: number;

  /** Milliseconds since the epoch. Part of the row's identity: MLflow stores two identical rows as one. */
  timestampMs: number;
}

/** MLflow writes 64-bit integers as strings. */
export const wireInteger = Type.Union([Type.Number(), Type.String()]);

export const wireMetric = Type.Object({
  key: Type.String(),
  value: Type.Union([Type.Number(), Type.String()]),
  step: Type.Optional(wireInteger),
  timestamp: wireInteger,
});

/** JSON has no NaN: MLflow writes and accepts `"NaN"`, `"Infinity"` and `"-Infinity"`, as Number and String do. */
export const fromWireMetric = ({ key, value, step, timestamp }: Static<typeof wireMetric>): Metric => ({
  key,
  value: Number(value),
  step: Number(step ?? 0),
  timestampMs: Number(timestamp),
});

export const toWireMetric = ({ key, value, step, timestampMs }: Metric): Static<typeof wireMetric> => ({
  key,
  value: Number.isFinite(value) ? value : String(value),
  step,
  timestamp: timestampMs,
});
