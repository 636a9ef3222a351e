import { smallest } from '@nautil/contracts';
import type { Axis } from './axis.js';
import type { Point } from './growth.js';
import { type Curve, curveOf } from './scaling-report.js';
import type { SideOutput } from './side-output.js';

export interface MeasuredAxis {
  /** Of the sizes that were measured, if those are at least two. */
  curves: Curve[];

  /** Why the sizes after them were not. */
  problem?: string;
}

/**
 * Measures an axis, from the smallest size to the largest. A size that fails ends it, because the larger ones would fail as well.
 *
 * @param run - runs one of our programs
 * @param onPoint - is given the values of each size
 */
export async function measureAxis(
  { name, program, args, figures }: Axis,
  sizes: readonly number[],
  run: (program: string, args: readonly string[]) => Promise<SideOutput>,
  onPoint?: (size: number, values: { figure: string; value: number; unit: string }[]) => void,
): Promise<MeasuredAxis> {
  const measured = Object.entries(figures).map(([figure, described]) => ({
    ...{ axis: name, figure, ...described },
    points: [] as Point[],
  }));
  let problem: string | undefined;
  for (const size of sizes) {
    try {
      const output = await run(program, await args(size));
      const values = measured.map(({ figure, unit }) => ({ figure, unit, value: bestOf(output, figure) }));
      for (const [at, { value }] of values.entries()) measured[at]?.points.push({ size, value });
      onPoint?.(size, values);
    } catch (error) {
      problem = `${name} ${size}: ${error instanceof Error ? error.message : String(error)}`;
      break;
    }
  }
  const curves = measured.filter(({ points }) => points.length > 1).map(curveOf);
  return { curves, ...(problem === undefined ? {} : { problem }) };
}

/** The best value of a figure. Only values above 0 have a logarithm, and therefore an exponent. */
function bestOf({ figures }: SideOutput, figure: string): number {
  const value = smallest(figures[figure] ?? [NaN]);
  if (!(value > 0)) throw new Error(`the program has measured no ${figure} above 0`);
  return value;
}
