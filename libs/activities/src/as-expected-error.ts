import { asFileError } from '@nautil/contracts';
import { isInHome } from '@nautil/store/folders';

/**
 * The expected error for a problem with a file that a user named. Nautil's own files are in the state folder: their absence has
 * other causes, which a retry may remove, so that the error stays as it is.
 */
export const asExpectedError = (thrown: unknown): unknown => asFileError(thrown, (path) => !isInHome(path));
