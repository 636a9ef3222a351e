import { environmentVariable } from '@nautil/store';

/** The environment variables that this library reads. */
export const environment = () => ({
  trackingUri: environmentVariable('MLFLOW_TRACKING_URI'),
  loginName: environmentVariable('USER'),
});
