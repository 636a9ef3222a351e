import { type Static, Type } from '@sinclair/typebox';
import { jsonMatcher, type JsonParser, jsonParser, variants } from '@nautil/contracts/schemas';
import { dataset } from '../client/log-inputs.js';

const strings = Type.Record(Type.String(), Type.String());

/** The run that the following records belong to: created, or found by its key and reopened. */
const runOpened = Type.Object({
  type: Type.Literal('open'),

  /** Identifies the run in MLflow by the tag {@link runKeyTag}. */
  key: Type.String(),

  experiment: Type.String(),
  runName: Type.String(),
  timestampMs: Type.Number(),
  tags: strings,
});

const paramsLogged = Type.Object({ type: Type.Literal('params'), params: strings });

const metricsLogged = Type.Object({
  type: Type.Literal('metrics'),

  /** Key, value, step and milliseconds since the epoch. JSON has no NaN and no infinities: they are strings. */
  rows: Type.Array(
    Type.Tuple([Type.String(), Type.Union([Type.Number(), Type.String()]), Type.Number(), Type.Number()]),
  ),
});

const tagsSet = Type.Object({ type: Type.Literal('tags'), tags: strings });

const artifactLogged = Type.Object({
  type: Type.Literal('artifact'),

  /** Absolute path of a file that must stay in place; its content is read when it is sent. */
  file: Type.String(),

  path: Type.String(),
});

const textLogged = Type.Object({ type: Type.Literal('text'), path: Type.String(), content: Type.String() });

/** Data that the run reads. */
const datasetsLogged = Type.Object({ type: Type.Literal('datasets'), datasets: Type.Array(dataset) });

/** An artifact of the run becomes a version of a registered model. */
const modelRegistered = Type.Object({
  type: Type.Literal('register'),

  /** The name of the model. */
  name: Type.String(),

  /** Path of the artifact inside the run. */
  path: Type.String(),
});

const runEnded = Type.Object({
  type: Type.Literal('end'),
  status: Type.Union([Type.Literal('FINISHED'), Type.Literal('FAILED'), Type.Literal('KILLED')]),
  timestampMs: Type.Number(),
  message: Type.Optional(Type.String()),
});

/** The first line of a journal. The id distinguishes it from another journal that later took the same path. */
const journalHeader = Type.Object({ type: Type.Literal('journal'), id: Type.String() });

export type RunOpened = Static<typeof runOpened>;
export type RunEnded = Static<typeof runEnded>;
export type ModelRegistered = Static<typeof modelRegistered>;
export type JournalHeader = Static<typeof journalHeader>;

/**
 * One line of a journal: everything that is needed to send it to MLflow again, with the times at which it happened. All
 * records are idempotent: sending one twice has the effect of sending it once.
 */
export type JournalRecord =
  | RunOpened
  | RunEnded
  | ModelRegistered
  | Static<typeof paramsLogged>
  | Static<typeof metricsLogged>
  | Static<typeof tagsSet>
  | Static<typeof artifactLogged>
  | Static<typeof textLogged>
  | Static<typeof datasetsLogged>;

/** The tag by which a run is found again, because creating a run in MLflow is not idempotent. */
export const runKeyTag = 'nautil.run_key';

const journalLine = variants('type', [
  journalHeader,
  runOpened,
  paramsLogged,
  metricsLogged,
  tagsSet,
  artifactLogged,
  textLogged,
  datasetsLogged,
  runEnded,
  modelRegistered,
]);

/** @throws InvalidJson naming the source */
export const parseJournalLine: JsonParser<JournalRecord | JournalHeader> = jsonParser(journalLine);

export const isJournalLine: (value: unknown) => value is JournalRecord | JournalHeader = jsonMatcher(journalLine);
