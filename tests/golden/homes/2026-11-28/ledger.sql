BEGIN TRANSACTION;
CREATE TABLE attempts (
            id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, holds INTEGER NOT NULL,
            state TEXT NOT NULL, charged TEXT, cause TEXT NOT NULL,
            run_id TEXT NOT NULL, owner_id TEXT,
            service TEXT NOT NULL, account TEXT NOT NULL, model TEXT NOT NULL,
            sequence TEXT NOT NULL, shot TEXT NOT NULL, take INTEGER NOT NULL,
            inputs TEXT NOT NULL, nano_units_quoted BIGINT NOT NULL, unit_price_nano_usd BIGINT NOT NULL,
            cost_nano_usd_quoted BIGINT NOT NULL, price_source TEXT NOT NULL,
            price_as_of TEXT NOT NULL,
            request_id TEXT, urls TEXT, media_url TEXT, clip_sha256 TEXT, num_frames INTEGER,
            created_at TEXT NOT NULL, posted_at TEXT, submitted_at TEXT, ended_at TEXT,
            stored_at TEXT, price_key TEXT, cost_nano_usd_reserved BIGINT, seed TEXT, schema_sha256 TEXT);
INSERT INTO "attempts" VALUES('6157554d29584d9c95c3af3c3bb26cd4','00bb12f077bae40e1a2795b37f732553a0bf4af67b69ac3863d78f7ce263c897',1,'stored','yes','the clip is in the store','ac70178eed9e43a3973634c3e45f1461','e90afb43fb12420996222c8db28a1180','sandbox/fal','default','fal-ai/magi-distilled','main','stored',1,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "prompt": "A boat that is stored", "resolution": "720p", "seed": 1}',4000000000,80000000,320000000,'account','2026-11-28','0d092552-4b06-4c84-98ba-67116ed495dd','{"cancel_url": "http://127.0.0.1:45463/fal/queue/fal-ai/magi-distilled/requests/0d092552-4b06-4c84-98ba-67116ed495dd/cancel", "response_url": "http://127.0.0.1:45463/fal/queue/fal-ai/magi-distilled/requests/0d092552-4b06-4c84-98ba-67116ed495dd", "status_url": "http://127.0.0.1:45463/fal/queue/fal-ai/magi-distilled/requests/0d092552-4b06-4c84-98ba-67116ed495dd/status"}','http://127.0.0.1:45463/fal/media/files/b/0d092552/0d092552-4b06-4c84-98ba-67116ed495dd.mp4','0e5f03edff9df5e965cd734deccb41d05e8a9523af74dca2f1732b1cd905b9cc',96,'2026-11-28T21:12:10.562436+00:00','2026-11-28T21:12:11.413975+00:00','2026-11-28T21:12:11.540989+00:00','2026-11-28T21:12:11.820405+00:00','2026-11-28T21:12:18.396047+00:00','{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "resolution": "720p"}',320000000,'1','7e0140d9fdcb01af2e77e758115927561ce1b47214c31b4cf08b4e09bb870205');
INSERT INTO "attempts" VALUES('f8001b36c7da4f6e9c6bd1b5b90666d3','897d0129030c4635b544fcd2330f2ce4244558b066fa0b0223d932a39f80e0f8',0,'released',NULL,'the run has ended','41a953f283e64ab2bcda2c4c7a076b1a','ffbc3c86f9f4438b9bb839346f0b541b','sandbox/fal','default','fal-ai/magi-distilled','main','reserved',1,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "prompt": "A boat that is reserved", "resolution": "720p", "seed": 2}',4000000000,80000000,320000000,'account','2026-11-28',NULL,NULL,NULL,NULL,NULL,'2026-11-28T21:12:20.517386+00:00',NULL,NULL,'2026-11-28T21:12:23.899519+00:00',NULL,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "resolution": "720p"}',320000000,'2','7e0140d9fdcb01af2e77e758115927561ce1b47214c31b4cf08b4e09bb870205');
INSERT INTO "attempts" VALUES('b873123c37574e008b710a36637ef544','f93f7cd609e13da958ba174beb349ecbb1cb8ad0e90b76df756f186422816407',1,'posting',NULL,'room','41a953f283e64ab2bcda2c4c7a076b1a','ffbc3c86f9f4438b9bb839346f0b541b','sandbox/fal','default','fal-ai/magi-distilled','main','posting',1,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "prompt": "A boat that is posting", "resolution": "720p", "seed": 3}',4000000000,80000000,320000000,'account','2026-11-28',NULL,NULL,NULL,NULL,NULL,'2026-11-28T21:12:20.819617+00:00','2026-11-28T21:12:20.966651+00:00',NULL,NULL,NULL,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "resolution": "720p"}',320000000,'3','7e0140d9fdcb01af2e77e758115927561ce1b47214c31b4cf08b4e09bb870205');
INSERT INTO "attempts" VALUES('eb88f5a5ef9346e0ba441950e5f7f525','b4d9c41bd8a21c9ef02bfd0bf229dfa48059b073172368d646ab39fb296e70eb',1,'unknown',NULL,'the answer was lost','41a953f283e64ab2bcda2c4c7a076b1a','ffbc3c86f9f4438b9bb839346f0b541b','sandbox/fal','default','fal-ai/magi-distilled','main','unknown',1,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "prompt": "A boat that is unknown", "resolution": "720p", "seed": 4}',4000000000,80000000,320000000,'account','2026-11-28',NULL,NULL,NULL,NULL,NULL,'2026-11-28T21:12:21.137787+00:00','2026-11-28T21:12:21.234819+00:00',NULL,NULL,NULL,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "resolution": "720p"}',320000000,'4','7e0140d9fdcb01af2e77e758115927561ce1b47214c31b4cf08b4e09bb870205');
INSERT INTO "attempts" VALUES('272afa3064484281a9c5d4068ed6f889','a8a40dafdd6d5eaaad65fdd43944ce532535629f45198f6dcb4994e5229576f7',1,'submitted',NULL,'accepted','41a953f283e64ab2bcda2c4c7a076b1a','ffbc3c86f9f4438b9bb839346f0b541b','sandbox/fal','default','fal-ai/magi-distilled','main','submitted',1,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "prompt": "A boat that is submitted", "resolution": "720p", "seed": 5}',4000000000,80000000,320000000,'account','2026-11-28','request-submitted','{}',NULL,NULL,NULL,'2026-11-28T21:12:21.373571+00:00','2026-11-28T21:12:21.455461+00:00','2026-11-28T21:12:21.772618+00:00',NULL,NULL,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "resolution": "720p"}',320000000,'5','7e0140d9fdcb01af2e77e758115927561ce1b47214c31b4cf08b4e09bb870205');
INSERT INTO "attempts" VALUES('9538abcbecfc4a12bf6405853248e518','3ee031fed299afc14fc15ac243aedd9dfb4b593aa6cb287d1383162a3989e265',1,'ready','yes','the provider has the clip','41a953f283e64ab2bcda2c4c7a076b1a','ffbc3c86f9f4438b9bb839346f0b541b','sandbox/fal','default','fal-ai/magi-distilled','main','ready',1,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "prompt": "A boat that is ready", "resolution": "720p", "seed": 6}',4000000000,80000000,320000000,'account','2026-11-28','request-ready','{}','https://media.example/clip.mp4',NULL,NULL,'2026-11-28T21:12:22.045453+00:00','2026-11-28T21:12:22.189165+00:00','2026-11-28T21:12:22.324134+00:00','2026-11-28T21:12:22.428091+00:00',NULL,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "resolution": "720p"}',320000000,'6','7e0140d9fdcb01af2e77e758115927561ce1b47214c31b4cf08b4e09bb870205');
INSERT INTO "attempts" VALUES('fcc9d66e091946219417706d3057dc52','982a83abc3dd6c8606bb4203ebd9e1a2e1c0ccba137a6d458a9ed3728923d51d',1,'lost',NULL,'the service no longer has it','41a953f283e64ab2bcda2c4c7a076b1a','ffbc3c86f9f4438b9bb839346f0b541b','sandbox/fal','default','fal-ai/magi-distilled','main','lost',1,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "prompt": "A boat that is lost", "resolution": "720p", "seed": 7}',4000000000,80000000,320000000,'account','2026-11-28','request-lost','{}',NULL,NULL,NULL,'2026-11-28T21:12:22.551755+00:00','2026-11-28T21:12:22.616793+00:00','2026-11-28T21:12:22.739709+00:00','2026-11-28T21:12:22.785663+00:00',NULL,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "resolution": "720p"}',320000000,'7','7e0140d9fdcb01af2e77e758115927561ce1b47214c31b4cf08b4e09bb870205');
INSERT INTO "attempts" VALUES('8ea0a4174abb42178e080ef9b8cc788a','5c939ecbba107d0ccfd712c97421d0c2038e2a6dae4ff01afc68c1fb4f638e2e',0,'failed','no','no GPU was left','41a953f283e64ab2bcda2c4c7a076b1a','ffbc3c86f9f4438b9bb839346f0b541b','sandbox/fal','default','fal-ai/magi-distilled','main','failed-free',1,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "prompt": "A boat that is failed-free", "resolution": "720p", "seed": 8}',4000000000,80000000,320000000,'account','2026-11-28','request-failed-free','{}',NULL,NULL,NULL,'2026-11-28T21:12:22.893194+00:00','2026-11-28T21:12:22.947750+00:00','2026-11-28T21:12:23.133722+00:00','2026-11-28T21:12:23.135439+00:00',NULL,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "resolution": "720p"}',320000000,'8','7e0140d9fdcb01af2e77e758115927561ce1b47214c31b4cf08b4e09bb870205');
INSERT INTO "attempts" VALUES('53091f283ece483f91e687aa8a38cb6b','eeb9c5e28c163cad115200d2d18c88c476f31c4ad67493164edbb2af7e7fc74e',1,'failed','yes','no GPU was left','41a953f283e64ab2bcda2c4c7a076b1a','ffbc3c86f9f4438b9bb839346f0b541b','sandbox/fal','default','fal-ai/magi-distilled','main','failed-paid',1,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "prompt": "A boat that is failed-paid", "resolution": "720p", "seed": 9}',4000000000,80000000,320000000,'account','2026-11-28','request-failed-paid','{}',NULL,NULL,NULL,'2026-11-28T21:12:23.243584+00:00','2026-11-28T21:12:23.367861+00:00','2026-11-28T21:12:23.470736+00:00','2026-11-28T21:12:23.472733+00:00',NULL,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "resolution": "720p"}',320000000,'9','7e0140d9fdcb01af2e77e758115927561ce1b47214c31b4cf08b4e09bb870205');
INSERT INTO "attempts" VALUES('7d8f8e0f91404ef2b32bae0fc667e2d2','acf05fc5957b592ec1d378899ea41f8cd1a35080db0336660599fae57725f5af',1,'failed','unknown','no GPU was left','41a953f283e64ab2bcda2c4c7a076b1a','ffbc3c86f9f4438b9bb839346f0b541b','sandbox/fal','default','fal-ai/magi-distilled','main','failed-unclear',1,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "prompt": "A boat that is failed-unclear", "resolution": "720p", "seed": 10}',4000000000,80000000,320000000,'account','2026-11-28','request-failed-unclear','{}',NULL,NULL,NULL,'2026-11-28T21:12:23.642127+00:00','2026-11-28T21:12:23.686278+00:00','2026-11-28T21:12:23.715951+00:00','2026-11-28T21:12:23.742161+00:00',NULL,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "resolution": "720p"}',320000000,'10','7e0140d9fdcb01af2e77e758115927561ce1b47214c31b4cf08b4e09bb870205');
INSERT INTO "attempts" VALUES('59fcebe1db824272b3eaf2edfb66780f','9fa61b5059b29399d6cbaf0238f10864f55ca78dd875d849254d6fddbaa6c440',0,'released',NULL,'a person gave it up','41a953f283e64ab2bcda2c4c7a076b1a','ffbc3c86f9f4438b9bb839346f0b541b','sandbox/fal','default','fal-ai/magi-distilled','main','released',1,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "prompt": "A boat that is released", "resolution": "720p", "seed": 11}',4000000000,80000000,320000000,'account','2026-11-28',NULL,NULL,NULL,NULL,NULL,'2026-11-28T21:12:23.790551+00:00',NULL,NULL,'2026-11-28T21:12:23.846720+00:00',NULL,'{"aspect_ratio": "auto", "enable_safety_checker": true, "num_frames": 96, "num_inference_steps": 16, "resolution": "720p"}',320000000,'11','7e0140d9fdcb01af2e77e758115927561ce1b47214c31b4cf08b4e09bb870205');
CREATE TABLE charges (
            id INTEGER PRIMARY KEY AUTOINCREMENT, attempt_id TEXT NOT NULL, run_id TEXT NOT NULL, service TEXT NOT NULL,
            account TEXT NOT NULL, request_id TEXT, at TEXT NOT NULL, nano_units BIGINT NOT NULL,
            cost_nano_usd BIGINT NOT NULL, currency TEXT NOT NULL, source TEXT NOT NULL,
            cause TEXT NOT NULL);
INSERT INTO "charges" VALUES(1,'6157554d29584d9c95c3af3c3bb26cd4','ac70178eed9e43a3973634c3e45f1461','sandbox/fal','default','0d092552-4b06-4c84-98ba-67116ed495dd','2026-11-28T21:12:11.820405+00:00',4000000000,320000000,'USD','provider','clip delivered');
INSERT INTO "charges" VALUES(2,'9538abcbecfc4a12bf6405853248e518','41a953f283e64ab2bcda2c4c7a076b1a','sandbox/fal','default','request-ready','2026-11-28T21:12:22.428091+00:00',4000000000,320000000,'USD','estimate','clip delivered');
INSERT INTO "charges" VALUES(3,'53091f283ece483f91e687aa8a38cb6b','41a953f283e64ab2bcda2c4c7a076b1a','sandbox/fal','default','request-failed-paid','2026-11-28T21:12:23.472733+00:00',4000000000,320000000,'USD','provider','charged failure');
CREATE TABLE events (
            id INTEGER PRIMARY KEY AUTOINCREMENT, attempt_id TEXT NOT NULL, at TEXT NOT NULL, state TEXT NOT NULL,
            cause TEXT NOT NULL, owner_id TEXT);
INSERT INTO "events" VALUES(1,'6157554d29584d9c95c3af3c3bb26cd4','2026-11-28T21:12:10.562436+00:00','reserved','planned','e90afb43fb12420996222c8db28a1180');
INSERT INTO "events" VALUES(2,'6157554d29584d9c95c3af3c3bb26cd4','2026-11-28T21:12:10.965328+00:00','posting','room','e90afb43fb12420996222c8db28a1180');
INSERT INTO "events" VALUES(3,'6157554d29584d9c95c3af3c3bb26cd4','2026-11-28T21:12:11.541670+00:00','submitted','accepted','e90afb43fb12420996222c8db28a1180');
INSERT INTO "events" VALUES(4,'6157554d29584d9c95c3af3c3bb26cd4','2026-11-28T21:12:11.820405+00:00','ready','the provider has the clip','e90afb43fb12420996222c8db28a1180');
INSERT INTO "events" VALUES(5,'6157554d29584d9c95c3af3c3bb26cd4','2026-11-28T21:12:18.396968+00:00','stored','the clip is in the store','e90afb43fb12420996222c8db28a1180');
INSERT INTO "events" VALUES(6,'f8001b36c7da4f6e9c6bd1b5b90666d3','2026-11-28T21:12:20.517386+00:00','reserved','planned','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(7,'b873123c37574e008b710a36637ef544','2026-11-28T21:12:20.819617+00:00','reserved','planned','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(8,'b873123c37574e008b710a36637ef544','2026-11-28T21:12:20.966651+00:00','posting','room','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(9,'eb88f5a5ef9346e0ba441950e5f7f525','2026-11-28T21:12:21.137787+00:00','reserved','planned','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(10,'eb88f5a5ef9346e0ba441950e5f7f525','2026-11-28T21:12:21.234819+00:00','posting','room','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(11,'eb88f5a5ef9346e0ba441950e5f7f525','2026-11-28T21:12:21.287296+00:00','unknown','the answer was lost','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(12,'272afa3064484281a9c5d4068ed6f889','2026-11-28T21:12:21.373571+00:00','reserved','planned','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(13,'272afa3064484281a9c5d4068ed6f889','2026-11-28T21:12:21.455461+00:00','posting','room','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(14,'272afa3064484281a9c5d4068ed6f889','2026-11-28T21:12:21.772818+00:00','submitted','accepted','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(15,'9538abcbecfc4a12bf6405853248e518','2026-11-28T21:12:22.045453+00:00','reserved','planned','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(16,'9538abcbecfc4a12bf6405853248e518','2026-11-28T21:12:22.189165+00:00','posting','room','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(17,'9538abcbecfc4a12bf6405853248e518','2026-11-28T21:12:22.324289+00:00','submitted','accepted','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(18,'9538abcbecfc4a12bf6405853248e518','2026-11-28T21:12:22.428091+00:00','ready','the provider has the clip','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(19,'fcc9d66e091946219417706d3057dc52','2026-11-28T21:12:22.551755+00:00','reserved','planned','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(20,'fcc9d66e091946219417706d3057dc52','2026-11-28T21:12:22.616793+00:00','posting','room','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(21,'fcc9d66e091946219417706d3057dc52','2026-11-28T21:12:22.739830+00:00','submitted','accepted','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(22,'fcc9d66e091946219417706d3057dc52','2026-11-28T21:12:22.785786+00:00','lost','the service no longer has it','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(23,'8ea0a4174abb42178e080ef9b8cc788a','2026-11-28T21:12:22.893194+00:00','reserved','planned','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(24,'8ea0a4174abb42178e080ef9b8cc788a','2026-11-28T21:12:22.947750+00:00','posting','room','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(25,'8ea0a4174abb42178e080ef9b8cc788a','2026-11-28T21:12:23.133816+00:00','submitted','accepted','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(26,'8ea0a4174abb42178e080ef9b8cc788a','2026-11-28T21:12:23.135439+00:00','failed','no GPU was left','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(27,'53091f283ece483f91e687aa8a38cb6b','2026-11-28T21:12:23.243584+00:00','reserved','planned','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(28,'53091f283ece483f91e687aa8a38cb6b','2026-11-28T21:12:23.367861+00:00','posting','room','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(29,'53091f283ece483f91e687aa8a38cb6b','2026-11-28T21:12:23.470885+00:00','submitted','accepted','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(30,'53091f283ece483f91e687aa8a38cb6b','2026-11-28T21:12:23.472733+00:00','failed','no GPU was left','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(31,'7d8f8e0f91404ef2b32bae0fc667e2d2','2026-11-28T21:12:23.642127+00:00','reserved','planned','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(32,'7d8f8e0f91404ef2b32bae0fc667e2d2','2026-11-28T21:12:23.686278+00:00','posting','room','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(33,'7d8f8e0f91404ef2b32bae0fc667e2d2','2026-11-28T21:12:23.716115+00:00','submitted','accepted','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(34,'7d8f8e0f91404ef2b32bae0fc667e2d2','2026-11-28T21:12:23.742161+00:00','failed','no GPU was left','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(35,'59fcebe1db824272b3eaf2edfb66780f','2026-11-28T21:12:23.790551+00:00','reserved','planned','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(36,'59fcebe1db824272b3eaf2edfb66780f','2026-11-28T21:12:23.846882+00:00','released','a person gave it up','ffbc3c86f9f4438b9bb839346f0b541b');
INSERT INTO "events" VALUES(37,'f8001b36c7da4f6e9c6bd1b5b90666d3','2026-11-28T21:12:23.899519+00:00','released','the run has ended','ffbc3c86f9f4438b9bb839346f0b541b');
CREATE TABLE films (
            host TEXT NOT NULL, out TEXT NOT NULL, name TEXT NOT NULL, run_id TEXT NOT NULL,
            at TEXT NOT NULL, clips TEXT NOT NULL, PRIMARY KEY (host, out));
CREATE TABLE ledger_probe (at TEXT);
INSERT INTO "ledger_probe" VALUES('open');
CREATE TABLE ledger_schema (version INTEGER PRIMARY KEY);
INSERT INTO "ledger_schema" VALUES(1);
INSERT INTO "ledger_schema" VALUES(2);
INSERT INTO "ledger_schema" VALUES(3);
INSERT INTO "ledger_schema" VALUES(4);
INSERT INTO "ledger_schema" VALUES(5);
INSERT INTO "ledger_schema" VALUES(6);
INSERT INTO "ledger_schema" VALUES(7);
INSERT INTO "ledger_schema" VALUES(8);
CREATE TABLE lists (
            film TEXT NOT NULL, live INTEGER NOT NULL, run_id TEXT NOT NULL, at TEXT NOT NULL,
            shots TEXT NOT NULL, PRIMARY KEY (film, live));
CREATE TABLE owners (
            id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL,
            started_at TEXT NOT NULL, beat_at TEXT NOT NULL);
CREATE TABLE prices (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, service TEXT NOT NULL, account TEXT NOT NULL,
            model TEXT NOT NULL, unit TEXT NOT NULL, unit_price_nano_usd BIGINT NOT NULL,
            source TEXT NOT NULL);
CREATE TABLE runs (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, started_at TEXT NOT NULL,
            budget_nano_usd BIGINT, film TEXT NOT NULL DEFAULT '');
INSERT INTO "runs" VALUES('ac70178eed9e43a3973634c3e45f1461','list','2026-11-28T21:12:10.330786+00:00',NULL,'');
INSERT INTO "runs" VALUES('41a953f283e64ab2bcda2c4c7a076b1a','list','2026-11-28T21:12:20.417883+00:00',NULL,'list');
CREATE TABLE top_ups (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, service TEXT NOT NULL, account TEXT NOT NULL,
            amount_nano_usd BIGINT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE uploads (
            service TEXT NOT NULL, account TEXT NOT NULL, sha256 TEXT NOT NULL, url TEXT NOT NULL,
            at TEXT NOT NULL, PRIMARY KEY (service, account, sha256));
CREATE UNIQUE INDEX one_live_attempt ON attempts (fingerprint) WHERE holds = 1;
CREATE UNIQUE INDEX one_attempt_a_request ON attempts (service, account, request_id)
            WHERE request_id IS NOT NULL;
CREATE INDEX attempts_by_state ON attempts (service, account, state);
CREATE INDEX attempts_by_run ON attempts (run_id);
CREATE INDEX events_by_attempt ON events (attempt_id);
CREATE INDEX charges_by_attempt ON charges (attempt_id);
CREATE INDEX charges_by_run ON charges (run_id);
CREATE INDEX charges_by_account ON charges (service, account, at);
CREATE INDEX attempts_by_post ON attempts (service, account, posted_at);
CREATE INDEX prices_by_account ON prices (service, account, model);
CREATE INDEX attempts_by_price ON attempts
            (service, account, model, price_key, ended_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',37);
INSERT INTO "sqlite_sequence" VALUES('charges',3);
COMMIT;
