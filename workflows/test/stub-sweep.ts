import { Context } from '@temporalio/activity';
import type { RunActivities, RunRequest, RunScores, SweepActivities } from '@nautil/contracts';
import { stubActivities } from './stub-activities.js';

/** The learning rate in a trial's overrides: the value that varies. */
const learningRateOf = ({ overrides = [] }: RunRequest): number =>
  Number(overrides.find((text) => text.startsWith('model.optim.lr='))?.split('=')[1]);

/**
 * Activities of a sweep over learning rates and of its trials. `score` maps a learning rate to its macro F1. The calls and the
 * largest number of concurrent trials are recorded.
 */
export function stubSweep(o: {
  rates: readonly number[];
  score?: (rate: number) => number;
  change?: Partial<RunActivities>;

  /** Awaited while a trial trains. */
  during?: (rate: number) => Promise<unknown>;
}): { activities: RunActivities & SweepActivities; calls: [string, unknown][]; trained: number[]; most: () => number } {
  const rates = new Map<string, number>();
  const trained: number[] = [];
  let running = 0;
  let most = 0;
  const { activities: run, calls } = stubActivities();
  const { resolveRun, train, evaluate } = run;
  const trialActivities: RunActivities = {
    ...run,
    resolveRun: async (request) => {
      rates.set(request.workflowId, learningRateOf(request));
      return resolveRun(request);
    },
    train: async (request) => {
      const rate = rates.get(request.run.workflowId)!;
      running++;
      most = Math.max(most, running);
      const heartbeat = setInterval(() => Context.current().heartbeat(), 50);
      try {
        await o.during?.(rate);
        trained.push(rate);
      } finally {
        clearInterval(heartbeat);
        running--;
      }
      return train(request);
    },
    evaluate: async (request) => {
      const evaluated = await evaluate(request);
      const f1Macro = o.score?.(rates.get(request.run.workflowId)!) ?? 0.5;
      return { ...evaluated, scores: { ...evaluated.scores!, f1Macro } satisfies RunScores };
    },
    ...o.change,
  };
  const sweep: SweepActivities = {
    planSweep: async ({ sweepId }) => ({
      experiment: 'TextClassification',
      fixed: ['trainer.max_epochs=1'],
      notes: [],
      trials: o.rates.map((rate, index) => ({
        number: index + 1,
        workflowId: `${sweepId}-${index}`,
        overrides: [`model.optim.lr=${rate}`],
      })),
    }),
    startSweepTracking: async () => ({ runId: 'parent', url: 'http://mlflow/parent' }),
    finishSweepTracking: async () => ({ runId: 'parent', url: 'http://mlflow/parent' }),
    awaitTrial: async ({ workflowId }) => {
      const handle = Context.current().client.workflow.getHandle(workflowId);
      return handle.result().then(
        (result) => ({ completed: true, result }),
        () => ({ completed: false }),
      );
    },
  };
  const recorded = Object.entries(sweep).map(([name, activity]: [string, (input: never) => Promise<unknown>]) => [
    name,
    (input: never) => {
      calls.push([name, input]);
      return activity(input);
    },
  ]);
  return {
    activities: { ...trialActivities, ...(Object.fromEntries(recorded) as SweepActivities) },
    calls,
    trained,
    most: () => most,
  };
}
