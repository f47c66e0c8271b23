/** The schema that BullMQ's tables live in; owned and migrated by the owner of the database. */
export const bullmqSchema = 'bullmq';
