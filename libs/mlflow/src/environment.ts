import { environmentVariable } from '@nautil/store';

/** The environment variables that this library reads. */
export const environment = () => ({
  trackingUri: environmentVariable('MLFLOW_TRACKING_URI'),
  token: environmentVariable('MLFLOW_TRACKING_TOKEN'),
  user: environmentVariable('MLFLOW_TRACKING_USERNAME'),
  password: environmentVariable('MLFLOW_TRACKING_PASSWORD'),
  loginName: environmentVariable('USER'),
});
