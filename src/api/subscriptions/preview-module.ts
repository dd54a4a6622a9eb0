import type { PreviewOutcome, SubscriptionPreview } from '../../subscriptions/subscription-preview.ts';
import { ApiProblem } from '../api-problem.ts';
import type { Input } from '../catalog/catalog-call.ts';
import type { ApiContext, ApiModule } from '../context.ts';
import { previewTypeDefs } from './preview-schema.ts';
import {
  newSubscriptionOf,
  type ProvisionInput,
  type UpdateInput,
  updateRequestOf,
} from './subscription-module.ts';

export const previewModule: ApiModule = {
  typeDefs: previewTypeDefs,
  resolvers: {
    Query: {
      previewSubscription: previewProvision,
      estimateSubscription: previewProvision,
      estimateSubscriptionUpdate,
    },
  },
  costs: {
    'Query.previewSubscription': { weight: 50 },
    'Query.estimateSubscription': { weight: 50 },
    'Query.estimateSubscriptionUpdate': { weight: 50 },
  },
};

async function previewProvision(
  _: unknown,
  { input }: Input<ProvisionInput>,
  { services }: ApiContext,
): Promise<SubscriptionPreview> {
  return previewOf(await services.previews.provision(newSubscriptionOf(input)));
}

async function estimateSubscriptionUpdate(
  _: unknown,
  { input }: Input<UpdateInput>,
  { services }: ApiContext,
): Promise<SubscriptionPreview> {
  return previewOf(await services.previews.update(input.subscriptionId, updateRequestOf(input)));
}

function previewOf(outcome: PreviewOutcome): SubscriptionPreview {
  if ('preview' in outcome) return outcome.preview;
  throw new ApiProblem(outcome.problem.code, outcome.problem.message);
}
