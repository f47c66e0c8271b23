export { notificationChannelRoutes } from './notification-channel.routes.ts';
export { notificationDeliveryRoutes } from './notification-delivery.routes.ts';
