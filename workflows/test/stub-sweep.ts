import type { RunActivities, RunRequest, RunScores, SweepActivities, TrialEnd } from '@nautil/contracts';
import { Context } from '@temporalio/activity';
import { stubActivities } from './stub-activities.js';

/** The overrides that a trial was started with, by the key that varies. */
const learningRateOf = ({ overrides = [] }: RunRequest): number =>
  Number(overrides.find((text) => text.startsWith('model.optim.lr='))?.split('=')[1]);

/**
 * Activities of a sweep over learning rates and of its trials. `score` says what macro F1 each learning rate gives; the
 * order of the calls and how many trials ran at once are noted.
 */
export function stubSweep(o: {
  rates: readonly number[];
  score?: (rate: number) => number;
  change?: Partial<RunActivities>;

  /** Held while a trial trains. */
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
      const beat = setInterval(() => Context.current().heartbeat(), 50);
      try {
        await o.during?.(rate);
        trained.push(rate);
      } finally {
        clearInterval(beat);
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
        (result) => ({ completed: true, result }) as TrialEnd,
        () => ({ completed: false }),
      );
    },
  };
  const noted = Object.entries(sweep).map(([name, activity]: [string, (input: never) => Promise<unknown>]) => [
    name,
    (input: never) => {
      calls.push([name, input]);
      return activity(input);
    },
  ]);
  return {
    activities: { ...trialActivities, ...(Object.fromEntries(noted) as SweepActivities) },
    calls,
    trained,
    most: () => most,
  };
}
