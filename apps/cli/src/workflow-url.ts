/** The page of a workflow in Temporal's UI. @param uiUrl - the address of the UI; undefined where it is not known */
export const workflowUrl = (
  uiUrl: string | undefined,
  { namespace, workflowId }: { namespace: string; workflowId: string },
): string | undefined =>
  uiUrl && `${uiUrl}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(workflowId)}`;
