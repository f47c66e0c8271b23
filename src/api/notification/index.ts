export { notificationDeliveryRoutes } from './notification-delivery.routes.ts';
export { notificationRoutes } from './notification.routes.ts';
