/** `turbocache-js/events`: domain events and messages that drop entries. */
import '../peer/require-nest';

export { TurboCacheEventsModule } from './events.module';
export { TurboCacheEvictOn } from './evict-on';
export { TurboCacheEvents, type TurboCacheEventCounts } from './events';
export type { DomainEvent, EvictionRule } from './rule';
export type { ChannelRules, EventRules, StreamRules, TurboCacheEventsOptions } from './events-options';
export type { IoredisStreamClient, NodeRedisStreamClient, StreamClient } from './stream-reader';
export type { ChannelSubscriber, IoredisSubscriber, NodeRedisSubscriber } from './subscriber';
