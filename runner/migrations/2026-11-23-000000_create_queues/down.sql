DROP TABLE gone_ids;
DROP TABLE tasks;
DROP TABLE queues;
DROP TABLE feed;
