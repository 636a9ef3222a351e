import { MlflowError } from './errors.js';

/** Turns MLflow's RESOURCE_DOES_NOT_EXIST into undefined. */
export async function undefinedIfMissing<T>(request: () => Promise<T>): Promise<T | undefined> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof MlflowError && error.errorCode === 'RESOURCE_DOES_NOT_EXIST') return undefined;
    throw error;
  }
}
