// Generated from docs/openapi.json by tools/api-types.mjs. Do not edit.
export interface paths {
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Check the service's health
         * @description Reads every table and, where the process itself makes writes durable (the one-process mode), waits for a small write
         *     to become durable. Runs at most every 2 s, regardless of the number of requests. `degraded` is a 200 as well:
         *     requests are served, and a restart would not help.
         */
        get: operations["health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read this document */
        get: operations["openapi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log in
         * @description Begins a session; if the account then has more than 100, the oldest ends. A 401 does not say which credential was
         *     wrong. After 10 failed logins to an account from one network, or 60 failed uses of any password, that network must
         *     wait for the next minute, even with the right password.
         */
        post: operations["login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log out
         * @description Ends the session of a refresh token if it is the caller's; otherwise does nothing. Access tokens stay valid until
         *     they expire.
         */
        post: operations["logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Refresh a session
         * @description Exchanges a refresh token for a new pair. A token that was spent within the last 60 seconds still yields a pair: at
         *     most three new ones, then the refresh token of the last one again. A token that was spent earlier ends the session.
         *     Limited to 30 requests a minute per session; a refused request spends nothing.
         */
        post: operations["refresh"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/auth/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Register an account
         * @description Creates an account and begins a session. Limited to five attempts a minute per network, successful or not. An
         *     attempt with a taken handle or address also counts as a failed use of a password, of which a network has 60 a
         *     minute.
         */
        post: operations["register"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Stream live events
         * @description Sends server-sent events until the access token expires. Only the one-process mode serves them; elsewhere the answer
         *     is a 501.
         *
         *     | event | data | when |
         *     | --- | --- | --- |
         *     | `hello` | `{"expires_at"}` | the stream opens |
         *     | `feed` | `{"post_id", "author_id"}` | a post was added to the caller's feed |
         *     | `notification` | `{"notification_id", "kind"}` | a notification was created or reappeared |
         *     | `feed`, `notification` | `{"reload": true}` | events of this kind may have been missed |
         *
         *     Events have no ids and are not replayed: read the first pages after each `hello`; later entries arrive as events. On
         *     `{"reload": true}` read the first page of that list: either the client read too slowly and up to 64 queued events
         *     were dropped, or the service cannot tell whether it missed one. An event may be sent more than once, and its subject
         *     may be gone by the time it is read.
         *
         *     A heartbeat comment is sent after 15 s without an event. Before the stream ends, a comment gives the reason:
         *     `token expired`, `account gone`, `replaced` (the caller's ninth stream ends the oldest) or `stopping`.
         */
        get: operations["events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/feed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the caller's feed
         * @description Lists the posts of the caller and of the users whom the caller follows now, newest first.
         */
        get: operations["feed"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/media": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Announce a picture
         * @description Answers with a presigned request that uploads the file straight to object storage, once, within 5 minutes, with
         *     exactly this type and size. The picture is then processed; `GET /v1/media/{media_id}` shows when it is `ready`. A
         *     picture that no post and no profile shows is erased after 24 hours. Limited to 60 pictures an hour.
         */
        post: operations["announce_media"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/media/{media_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a picture
         * @description The caller's own, or one of a post that is shown.
         */
        get: operations["media"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Describe a picture
         * @description Replaces the description of the caller's picture until it is part of a post; then it is a 409. Limited to 600
         *     requests an hour.
         */
        patch: operations["describe_media"];
        trace?: never;
    };
    "/v1/notifications": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the caller's notifications
         * @description Newest first, none older than 90 days. A notification whose act was undone is hidden until the act is repeated, and
         *     then appears unchanged.
         */
        get: operations["notifications"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/notifications/read": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Mark notifications as read
         * @description Marks this notification and all older ones. A read notification never becomes unread.
         */
        put: operations["mark_read"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/posts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Publish a post
         * @description The post is in the author's story and feed at once and reaches every follower's feed soon after. With an
         *     `Idempotency-Key` the same request can be retried for 24 hours and publishes once; a retry is answered with the same
         *     post even if that has been deleted since. With pictures the text may be empty. Limited to 60 posts an hour; retries count once and are answered even when
         *     the limit is reached.
         */
        post: operations["create_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/posts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a post */
        get: operations["post"];
        put?: never;
        post?: never;
        /**
         * Delete a post
         * @description Only the author may delete a post. It is hidden from everyone at once and erased after 30 days; until then the
         *     request is idempotent. Limited to 600 requests an hour.
         */
        delete: operations["delete_post"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/posts/{id}/comments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the comments on a post
         * @description Newest first.
         */
        get: operations["comments"];
        put?: never;
        /**
         * Comment on a post
         * @description Not idempotent: each request creates a comment. Limited to 120 comments an hour.
         */
        post: operations["create_comment"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/posts/{id}/comments/{comment_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete a comment
         * @description Only the author of the comment or of the post may delete it. Idempotent for 30 days. Limited to 1,200 requests an
         *     hour.
         */
        delete: operations["delete_comment"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/posts/{id}/like": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Like a post
         * @description Idempotent. Limited to 600 requests an hour.
         */
        put: operations["like"];
        post?: never;
        /**
         * Unlike a post
         * @description Succeeds even if the caller had not liked the post. Limited to 6,000 requests an hour.
         */
        delete: operations["unlike"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/posts/{id}/likes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the users who like a post
         * @description The order is stable but unspecified.
         */
        get: operations["likes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a profile
         * @description The caller's own profile includes the e-mail address; another user's says whether either follows the
         *     other.
         */
        get: operations["profile"];
        put?: never;
        post?: never;
        /**
         * Delete the caller's account
         * @description `{user}` must be `me`. The account's tokens stop working, its content is hidden from everyone at once, and a
         *     background job erases it for good. The handle stays reserved for 90 days. A wrong password is a 403 with type
         *     `/problems/wrong-password` and counts as a failed login.
         */
        delete: operations["delete_account"];
        options?: never;
        head?: never;
        /**
         * Edit the caller's profile
         * @description `{user}` must be `me`: users edit only their own profile. Limited to 600 requests an hour.
         */
        patch: operations["edit_profile"];
        trace?: never;
    };
    "/v1/users/{user}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export all data stored about the caller
         * @description Lists the records one kind after the other. Other users appear only by id and handle. Passwords and tokens are not
         *     stored; the hashes that they are checked against are left out. `{user}` must be `me`: users export only their own
         *     data.
         */
        get: operations["export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user}/follow": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Follow a user
         * @description Idempotent. Limited to 600 requests an hour.
         */
        put: operations["follow"];
        post?: never;
        /**
         * Unfollow a user
         * @description Succeeds even if the caller had not followed the user. Limited to 6,000 requests an hour.
         */
        delete: operations["unfollow"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user}/followers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List a user's followers
         * @description The order is stable but unspecified.
         */
        get: operations["followers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user}/following": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the users a user follows
         * @description The order is stable but unspecified.
         */
        get: operations["following"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user}/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Change the caller's password
         * @description `{user}` must be `me`. Every refresh token of the account is revoked, including the caller's: log in again. If
         *     `current` is wrong, the answer is a 403 with type `/problems/wrong-password` and counts as a failed login.
         */
        put: operations["change_password"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user}/posts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a user's story
         * @description Lists the user's posts, newest first.
         */
        get: operations["story"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user}/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the caller's sessions
         * @description Newest first, at most 100. `{user}` must be `me`: users see only their own sessions.
         */
        get: operations["sessions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/users/{user}/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * End one of the caller's sessions
         * @description Revokes the session's refresh tokens; access tokens stay valid until they expire. Succeeds even if the caller has no
         *     such session. `{user}` must be `me`: users end only their own sessions.
         */
        delete: operations["end_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A picture to upload. */
        AnnounceMediaRequest: {
            /**
             * Format: int64
             * @description The exact size of the file, in bytes.
             */
            bytes: number;
            content_type: components["schemas"]["MediaTypeShape"];
            /**
             * @description The description for people who do not see the picture. Its only control characters are line breaks and tabs; CR LF is stored as LF.
             * @example A crab on a beach, waving
             */
            description?: string;
        };
        /** @description An announced picture, and how to upload it. */
        AnnounceMediaResponse: {
            /**
             * Format: uuid
             * @description The picture's id, a UUIDv7.
             */
            media_id: string;
            /** @description The request to send. */
            upload: components["schemas"]["Upload"];
        };
        /** @description The current and the new password. */
        ChangePasswordRequest: {
            /**
             * @description The current password.
             * @example correct horse battery staple
             */
            current: string;
            /**
             * @description The new password.
             * @example wrong horse, dead battery
             */
            new: string;
        };
        /** @description A comment with its author. */
        Comment: {
            /** @description The comment's author. */
            author: components["schemas"]["User"];
            /**
             * Format: uuid
             * @description The comment's id, a UUIDv7.
             */
            comment_id: string;
            /**
             * Format: date-time
             * @description When the comment was created, in UTC with milliseconds; the id carries the same time.
             * @example 2025-11-21T04:40:00.100Z
             */
            created_at: string;
            /**
             * Format: uuid
             * @description The post it is on.
             */
            post_id: string;
            /** @description The comment's text. */
            text: string;
        };
        /** @description A comment to create. */
        CreateCommentRequest: {
            /**
             * @description The text. It has a visible character, and its only control characters are line breaks and tabs; CR LF is stored as LF.
             * @example Well said
             */
            text: string;
        };
        /** @description A post to publish. */
        CreatePostRequest: {
            /** @description The post's pictures, in the order in which they are shown: the caller's own, `ready`, and in no other place. */
            media_ids?: string[];
            /**
             * @description The text. Without media it has 1 character or more, one of them visible. Its only control characters are line breaks and tabs; CR LF is stored as LF.
             * @example Hello, world
             */
            text: string;
        };
        /** @description Confirmation of an account's deletion. */
        DeleteAccountRequest: {
            /**
             * @description The account's password.
             * @example correct horse battery staple
             */
            password: string;
        };
        /** @description A new description of a picture. */
        DescribeMediaRequest: {
            /**
             * @description The description for people who do not see the picture. Its only control characters are line breaks and tabs; CR LF is stored as LF.
             * @example A crab on a beach, waving
             */
            description: string;
        };
        /** @description Changes to a profile. Absent fields keep their values. */
        EditProfileRequest: {
            /**
             * Format: uuid
             * @description The picture of the profile: the caller's own, `ready`, and in no other place. Null removes it.
             */
            avatar_media_id?: string | null;
            /**
             * @description The profile text. Its only control characters are line breaks and tabs; CR LF is stored as LF.
             * @example Looks through glasses
             */
            bio?: string;
            /**
             * @description The display name. It has a visible character, and neither control characters (line breaks and tabs included) nor bidirectional controls (U+202A to U+202E, U+2066 to U+2069).
             * @example Alice
             */
            display_name?: string;
        };
        /** @description A record stored about the caller. Times are in UTC with milliseconds. */
        Exported: (components["schemas"]["Profile"] & {
            /** @enum {string} */
            kind: "profile";
        }) | {
            /** @enum {string} */
            kind: "inbox";
            /**
             * Format: uuid
             * @description The id of the newest notification marked as read.
             */
            read_up_to: string | null;
            /**
             * Format: int64
             * @description The number of unread notifications.
             */
            unread_count: number;
        } | {
            /** @description When the session began. */
            created_at: string;
            /** @description When the session ends unless it is refreshed. */
            expires_at: string;
            /** @enum {string} */
            kind: "session";
            /** @description When the session began or was last refreshed. */
            last_used_at: string;
            /**
             * Format: uuid
             * @description The session's id. Its tokens are not stored.
             */
            session_id: string;
            /** @description The `User-Agent` of the request that began the session; null if it had none. */
            user_agent: string | null;
        } | {
            /**
             * Format: int64
             * @description The number of comments.
             */
            comments_count: number;
            /** @description When the post was created. */
            created_at: string;
            /** @description When the post was deleted; null otherwise. */
            deleted_at: string | null;
            /** @enum {string} */
            kind: "post";
            /**
             * Format: int64
             * @description The number of likes.
             */
            likes_count: number;
            /** @description The post's pictures. */
            media: components["schemas"]["Media"][];
            /**
             * Format: uuid
             * @description The post's id.
             */
            post_id: string;
            /** @description The post's text. */
            text: string;
        } | {
            /**
             * Format: uuid
             * @description The comment's id.
             */
            comment_id: string;
            /** @description When the comment was created. */
            created_at: string;
            /** @description When the comment was deleted; null otherwise. */
            deleted_at: string | null;
            /** @enum {string} */
            kind: "comment";
            /**
             * Format: uuid
             * @description The post that was commented on.
             */
            post_id: string;
            /** @description The comment's text. */
            text: string;
        } | {
            /** @enum {string} */
            kind: "like";
            /** @description When the caller liked the post. */
            liked_at: string;
            /**
             * Format: uuid
             * @description The liked post.
             */
            post_id: string;
        } | {
            /** @description When the follow began. */
            followed_at: string;
            /** @enum {string} */
            kind: "following";
            /** @description The followed user. */
            user: components["schemas"]["ExportedUser"];
        } | {
            /** @description When the follow began. */
            followed_at: string;
            /** @enum {string} */
            kind: "follower";
            /** @description The follower. */
            user: components["schemas"]["ExportedUser"];
        } | {
            /** @description The kind of act. */
            act: components["schemas"]["NotificationKind"];
            /** @description The user who acted. */
            actor: components["schemas"]["ExportedUser"];
            /**
             * Format: uuid
             * @description The comment; null for other kinds.
             */
            comment_id: string | null;
            /** @description When the notification was created. */
            created_at: string;
            /** @enum {string} */
            kind: "notification";
            /**
             * Format: uuid
             * @description The notification's id.
             */
            notification_id: string;
            /**
             * Format: uuid
             * @description The post that was liked or commented on; null for a follow.
             */
            post_id: string | null;
            /** @description Whether the caller has marked the notification as read. */
            read: boolean;
            /** @description Whether the notification is shown; false while its act is undone. */
            shown: boolean;
        } | {
            /** @description The kind of act. A follow is a follow of the recipient. */
            act: components["schemas"]["NotificationKind"];
            /**
             * Format: uuid
             * @description The comment; null for other kinds.
             */
            comment_id: string | null;
            /** @enum {string} */
            kind: "notified";
            /**
             * Format: uuid
             * @description The notification's id.
             */
            notification_id: string;
            /**
             * Format: uuid
             * @description The liked post; null for other kinds.
             */
            post_id: string | null;
            /**
             * Format: uuid
             * @description The recipient of the notification.
             */
            recipient_id: string;
        } | {
            /** @enum {string} */
            kind: "feed_entry";
            /**
             * Format: uuid
             * @description The post's id.
             */
            post_id: string;
        } | {
            /** @description When the key expires. */
            expires_at: string;
            /** @description The key. */
            key: string;
            /** @enum {string} */
            kind: "idempotency_key";
            /**
             * Format: uuid
             * @description The post that was published with the key.
             */
            post_id: string;
        } | (components["schemas"]["MediaProgress"] & {
            /**
             * Format: int64
             * @description The size of the upload, in bytes. The upload itself is not kept.
             */
            bytes: number;
            /** @description When the picture was announced. */
            created_at: string;
            /**
             * Format: uuid
             * @description The post that shows it; null otherwise.
             */
            post_id: string | null;
        } & {
            /** @enum {string} */
            kind: "media";
        });
        /** @description Another user. */
        ExportedUser: {
            /** @description The user's handle; null if the account is deleted. */
            handle: string | null;
            /**
             * Format: uuid
             * @description The user's id.
             */
            user_id: string;
        };
        /** @description One invalid field of a request. */
        FieldError: {
            /**
             * @description The field's name in the API; `body` for the body as a whole.
             * @example handle
             */
            field: string;
            /**
             * @description The reason, worded for a person.
             * @example is already taken
             */
            message: string;
        };
        /** @description A follower or a followed user. */
        Follow: {
            /**
             * Format: date-time
             * @description When the follow began, in UTC with milliseconds.
             * @example 2025-11-21T04:40:00.100Z
             */
            followed_at: string;
            /** @description The follower, or the user who is followed. */
            user: components["schemas"]["User"];
        };
        /**
         * @description A reason for the status `degraded`.
         * @enum {string}
         */
        HealthReason: "changes_late";
        /** @description The state of a service that serves requests. */
        HealthResponse: {
            /** @description The reasons why the status is `degraded`; absent otherwise. */
            reasons?: components["schemas"]["HealthReason"][];
            /** @description The health of the service. */
            status: components["schemas"]["HealthStatus"];
        };
        /**
         * @description The health of the service.
         * @enum {string}
         */
        HealthStatus: "ok" | "degraded";
        /** @description A user who likes a post. */
        Like: {
            /**
             * Format: date-time
             * @description When the user liked the post, in UTC with milliseconds.
             * @example 2025-11-21T04:40:00.100Z
             */
            liked_at: string;
            /** @description The user who likes the post. */
            user: components["schemas"]["User"];
        };
        /** @description Credentials with an e-mail address. */
        LoginByEmail: {
            /**
             * @description The account's e-mail address.
             * @example alice@example.org
             */
            email: string;
            /**
             * @description The password.
             * @example correct horse battery staple
             */
            password: string;
        };
        /** @description Credentials with a handle. */
        LoginByHandle: {
            /**
             * @description The account's handle.
             * @example alice
             */
            handle: string;
            /**
             * @description The password.
             * @example correct horse battery staple
             */
            password: string;
        };
        /**
         * @description The two forms of [`LoginRequest`], for the OpenAPI document. They are decoded as one shape so that an error names
         *     the field.
         */
        LoginRequest: components["schemas"]["LoginByEmail"] | components["schemas"]["LoginByHandle"];
        /** @description How far the caller has read. */
        MarkReadRequest: {
            /**
             * Format: uuid
             * @description The id of the newest notification to mark as read.
             */
            up_to: string;
        };
        /** @description A picture of a post. */
        Media: {
            /**
             * @description A blurred preview as text: <https://blurha.sh>.
             * @example LEHV6nWB2yk8pyo0adR*.7kCMdnj
             */
            blurhash: string;
            /**
             * @description The type of the upload, by its bytes. The three sizes are JPEGs.
             * @example image/png
             */
            content_type: string;
            /** @description The description for people who do not see the picture; may be empty. */
            description: string;
            /**
             * Format: int32
             * @description The height of the size `original`, in pixels.
             * @example 1365
             */
            height: number;
            /**
             * Format: uuid
             * @description The picture's id, a UUIDv7.
             */
            media_id: string;
            /** @description Where the picture is. */
            urls: components["schemas"]["MediaUrls"];
            /**
             * Format: int32
             * @description The width of the size `original`, in pixels.
             * @example 2048
             */
            width: number;
        };
        /** @description A picture with its progress. */
        MediaProgress: {
            /**
             * @description A blurred preview as text: <https://blurha.sh>; null until the picture is ready.
             * @example LEHV6nWB2yk8pyo0adR*.7kCMdnj
             */
            blurhash: string | null;
            /**
             * @description The type: as announced until the picture is ready, then by the bytes. The three sizes are JPEGs.
             * @example image/png
             */
            content_type: string;
            /** @description The description for people who do not see the picture; may be empty. */
            description: string;
            /**
             * Format: int32
             * @description The height of the size `original`, in pixels; null until the picture is ready.
             * @example 1365
             */
            height: number | null;
            /**
             * Format: uuid
             * @description The picture's id, a UUIDv7.
             */
            media_id: string;
            /** @description Why the upload was rejected, fit to show; only then. */
            reason?: string;
            /** @description The progress. */
            state: components["schemas"]["MediaStateShape"];
            urls: components["schemas"]["MediaUrls"] | null;
            /**
             * Format: int32
             * @description The width of the size `original`, in pixels; null until the picture is ready.
             * @example 2048
             */
            width: number | null;
        };
        /**
         * @description The progress of a picture.
         * @enum {string}
         */
        MediaStateShape: "awaiting_upload" | "processing" | "ready" | "rejected";
        /**
         * @description The type of a picture, which the upload's `Content-Type` has to be.
         * @enum {string}
         */
        MediaTypeShape: "image/jpeg" | "image/png" | "image/webp";
        /** @description The URLs of a picture's three sizes. They are unguessable and need no token. */
        MediaUrls: {
            /** @description Fits into 640 pixels a side. */
            medium: string;
            /** @description Fits into 2048 pixels a side. */
            original: string;
            /** @description Fits into 150 pixels a side. */
            thumbnail: string;
        };
        /**
         * @description The kind of act that a notification reports. Later versions may add kinds: clients ignore those they do not know.
         * @enum {string}
         */
        NotificationKind: "like" | "comment" | "follow";
        /** @description A page of notifications. */
        NotificationPage: components["schemas"]["PageShape_Notification"] & {
            /**
             * Format: int64
             * @description The number of unread notifications, on this page and elsewhere.
             */
            unread_count: number;
        };
        /** @description One page of a list. */
        PageShape_Comment: {
            /** @description The items, in the list's order. */
            items: {
                /** @description The comment's author. */
                author: components["schemas"]["User"];
                /**
                 * Format: uuid
                 * @description The comment's id, a UUIDv7.
                 */
                comment_id: string;
                /**
                 * Format: date-time
                 * @description When the comment was created, in UTC with milliseconds; the id carries the same time.
                 * @example 2025-11-21T04:40:00.100Z
                 */
                created_at: string;
                /**
                 * Format: uuid
                 * @description The post it is on.
                 */
                post_id: string;
                /** @description The comment's text. */
                text: string;
            }[];
            /** @description The cursor of the next page; null exactly on the last page. */
            next_cursor: string | null;
        };
        /** @description One page of a list. */
        PageShape_Exported: {
            /** @description The items, in the list's order. */
            items: ((components["schemas"]["Profile"] & {
                /** @enum {string} */
                kind: "profile";
            }) | {
                /** @enum {string} */
                kind: "inbox";
                /**
                 * Format: uuid
                 * @description The id of the newest notification marked as read.
                 */
                read_up_to: string | null;
                /**
                 * Format: int64
                 * @description The number of unread notifications.
                 */
                unread_count: number;
            } | {
                /** @description When the session began. */
                created_at: string;
                /** @description When the session ends unless it is refreshed. */
                expires_at: string;
                /** @enum {string} */
                kind: "session";
                /** @description When the session began or was last refreshed. */
                last_used_at: string;
                /**
                 * Format: uuid
                 * @description The session's id. Its tokens are not stored.
                 */
                session_id: string;
                /** @description The `User-Agent` of the request that began the session; null if it had none. */
                user_agent: string | null;
            } | {
                /**
                 * Format: int64
                 * @description The number of comments.
                 */
                comments_count: number;
                /** @description When the post was created. */
                created_at: string;
                /** @description When the post was deleted; null otherwise. */
                deleted_at: string | null;
                /** @enum {string} */
                kind: "post";
                /**
                 * Format: int64
                 * @description The number of likes.
                 */
                likes_count: number;
                /** @description The post's pictures. */
                media: components["schemas"]["Media"][];
                /**
                 * Format: uuid
                 * @description The post's id.
                 */
                post_id: string;
                /** @description The post's text. */
                text: string;
            } | {
                /**
                 * Format: uuid
                 * @description The comment's id.
                 */
                comment_id: string;
                /** @description When the comment was created. */
                created_at: string;
                /** @description When the comment was deleted; null otherwise. */
                deleted_at: string | null;
                /** @enum {string} */
                kind: "comment";
                /**
                 * Format: uuid
                 * @description The post that was commented on.
                 */
                post_id: string;
                /** @description The comment's text. */
                text: string;
            } | {
                /** @enum {string} */
                kind: "like";
                /** @description When the caller liked the post. */
                liked_at: string;
                /**
                 * Format: uuid
                 * @description The liked post.
                 */
                post_id: string;
            } | {
                /** @description When the follow began. */
                followed_at: string;
                /** @enum {string} */
                kind: "following";
                /** @description The followed user. */
                user: components["schemas"]["ExportedUser"];
            } | {
                /** @description When the follow began. */
                followed_at: string;
                /** @enum {string} */
                kind: "follower";
                /** @description The follower. */
                user: components["schemas"]["ExportedUser"];
            } | {
                /** @description The kind of act. */
                act: components["schemas"]["NotificationKind"];
                /** @description The user who acted. */
                actor: components["schemas"]["ExportedUser"];
                /**
                 * Format: uuid
                 * @description The comment; null for other kinds.
                 */
                comment_id: string | null;
                /** @description When the notification was created. */
                created_at: string;
                /** @enum {string} */
                kind: "notification";
                /**
                 * Format: uuid
                 * @description The notification's id.
                 */
                notification_id: string;
                /**
                 * Format: uuid
                 * @description The post that was liked or commented on; null for a follow.
                 */
                post_id: string | null;
                /** @description Whether the caller has marked the notification as read. */
                read: boolean;
                /** @description Whether the notification is shown; false while its act is undone. */
                shown: boolean;
            } | {
                /** @description The kind of act. A follow is a follow of the recipient. */
                act: components["schemas"]["NotificationKind"];
                /**
                 * Format: uuid
                 * @description The comment; null for other kinds.
                 */
                comment_id: string | null;
                /** @enum {string} */
                kind: "notified";
                /**
                 * Format: uuid
                 * @description The notification's id.
                 */
                notification_id: string;
                /**
                 * Format: uuid
                 * @description The liked post; null for other kinds.
                 */
                post_id: string | null;
                /**
                 * Format: uuid
                 * @description The recipient of the notification.
                 */
                recipient_id: string;
            } | {
                /** @enum {string} */
                kind: "feed_entry";
                /**
                 * Format: uuid
                 * @description The post's id.
                 */
                post_id: string;
            } | {
                /** @description When the key expires. */
                expires_at: string;
                /** @description The key. */
                key: string;
                /** @enum {string} */
                kind: "idempotency_key";
                /**
                 * Format: uuid
                 * @description The post that was published with the key.
                 */
                post_id: string;
            } | (components["schemas"]["MediaProgress"] & {
                /**
                 * Format: int64
                 * @description The size of the upload, in bytes. The upload itself is not kept.
                 */
                bytes: number;
                /** @description When the picture was announced. */
                created_at: string;
                /**
                 * Format: uuid
                 * @description The post that shows it; null otherwise.
                 */
                post_id: string | null;
            } & {
                /** @enum {string} */
                kind: "media";
            }))[];
            /** @description The cursor of the next page; null exactly on the last page. */
            next_cursor: string | null;
        };
        /** @description One page of a list. */
        PageShape_Follow: {
            /** @description The items, in the list's order. */
            items: {
                /**
                 * Format: date-time
                 * @description When the follow began, in UTC with milliseconds.
                 * @example 2025-11-21T04:40:00.100Z
                 */
                followed_at: string;
                /** @description The follower, or the user who is followed. */
                user: components["schemas"]["User"];
            }[];
            /** @description The cursor of the next page; null exactly on the last page. */
            next_cursor: string | null;
        };
        /** @description One page of a list. */
        PageShape_Like: {
            /** @description The items, in the list's order. */
            items: {
                /**
                 * Format: date-time
                 * @description When the user liked the post, in UTC with milliseconds.
                 * @example 2025-11-21T04:40:00.100Z
                 */
                liked_at: string;
                /** @description The user who likes the post. */
                user: components["schemas"]["User"];
            }[];
            /** @description The cursor of the next page; null exactly on the last page. */
            next_cursor: string | null;
        };
        /** @description One page of a list. */
        PageShape_Notification: {
            /** @description The items, in the list's order. */
            items: {
                /** @description The user who acted. */
                actor: components["schemas"]["User"];
                /**
                 * Format: uuid
                 * @description The comment; null for other kinds.
                 */
                comment_id?: string;
                /**
                 * Format: date-time
                 * @description When the notification was created, in UTC with milliseconds; the id carries the same time.
                 * @example 2025-11-21T04:40:00.100Z
                 */
                created_at: string;
                /** @description The kind of act. */
                kind: components["schemas"]["NotificationKind"];
                /**
                 * Format: uuid
                 * @description The notification's id, a UUIDv7.
                 */
                notification_id: string;
                /**
                 * Format: uuid
                 * @description The post that was liked or commented on; null for a follow.
                 */
                post_id?: string;
                /** @description Whether the caller has marked the notification as read. */
                read: boolean;
            }[];
            /** @description The cursor of the next page; null exactly on the last page. */
            next_cursor: string | null;
        };
        /** @description One page of a list. */
        PageShape_Post: {
            /** @description The items, in the list's order. */
            items: {
                /** @description The author. */
                author: components["schemas"]["User"];
                /**
                 * Format: int64
                 * @description The number of comments.
                 */
                comments_count: number;
                /**
                 * Format: date-time
                 * @description The time of creation, in UTC with milliseconds; equals the timestamp in the id.
                 * @example 2025-11-21T04:40:00.100Z
                 */
                created_at: string;
                /** @description Whether the caller likes it. */
                liked_by_me: boolean;
                /**
                 * Format: int64
                 * @description The number of likes.
                 */
                likes_count: number;
                /** @description The pictures, in the author's order. */
                media: components["schemas"]["Media"][];
                /**
                 * Format: uuid
                 * @description The post's id, a UUIDv7.
                 */
                post_id: string;
                /** @description The text; may be empty if there are pictures. */
                text: string;
            }[];
            /** @description The cursor of the next page; null exactly on the last page. */
            next_cursor: string | null;
        };
        /** @description One page of a list. */
        PageShape_Session: {
            /** @description The items, in the list's order. */
            items: {
                /**
                 * Format: date-time
                 * @description When the session began, in UTC with milliseconds.
                 * @example 2025-11-21T04:40:00.100Z
                 */
                created_at: string;
                /** @description Whether the request's access token belongs to this session. */
                current: boolean;
                /**
                 * Format: date-time
                 * @description When the session began or was last refreshed, in UTC with milliseconds.
                 * @example 2025-11-21T04:55:00.100Z
                 */
                last_used_at: string;
                /**
                 * Format: uuid
                 * @description The session's id.
                 */
                session_id: string;
                /**
                 * @description The `User-Agent` of the request that began the session; null if it had none.
                 * @example Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0
                 */
                user_agent: string | null;
            }[];
            /** @description The cursor of the next page; null exactly on the last page. */
            next_cursor: string | null;
        };
        /** @description A post with its author. */
        Post: {
            /** @description The author. */
            author: components["schemas"]["User"];
            /**
             * Format: int64
             * @description The number of comments.
             */
            comments_count: number;
            /**
             * Format: date-time
             * @description The time of creation, in UTC with milliseconds; equals the timestamp in the id.
             * @example 2025-11-21T04:40:00.100Z
             */
            created_at: string;
            /** @description Whether the caller likes it. */
            liked_by_me: boolean;
            /**
             * Format: int64
             * @description The number of likes.
             */
            likes_count: number;
            /** @description The pictures, in the author's order. */
            media: components["schemas"]["Media"][];
            /**
             * Format: uuid
             * @description The post's id, a UUIDv7.
             */
            post_id: string;
            /** @description The text; may be empty if there are pictures. */
            text: string;
        };
        /** @description The body of a problem response. */
        Problem: {
            /** @description The reason, or what the client can do about it. */
            detail: string;
            /** @description The fields concerned; with 409 and 422. */
            errors?: components["schemas"]["FieldError"][];
            /**
             * Format: int32
             * @description The HTTP status.
             */
            status: number;
            /** @description A short summary, the same for every problem of a type. */
            title: string;
            /**
             * @description The type, from a closed list: `/problems/<slug>`.
             * @example /problems/not-found
             */
            type: string;
        };
        /** @description A profile as the caller sees it. */
        Profile: components["schemas"]["User"] & {
            /** @description The profile text. */
            bio: string;
            /**
             * Format: date-time
             * @description The time of registration, in UTC with milliseconds.
             * @example 2025-11-21T04:40:00.100Z
             */
            created_at: string;
            /** @description The caller only: the e-mail address. */
            email?: string;
            /** @description Other users only: whether the caller follows them. */
            followed_by_me?: boolean;
            /**
             * Format: int64
             * @description The number of followers.
             */
            followers_count: number;
            /**
             * Format: int64
             * @description The number of followees.
             */
            following_count: number;
            /** @description Other users only: whether they follow the caller. */
            follows_me?: boolean;
            /**
             * Format: int64
             * @description The number of posts.
             */
            posts_count: number;
        };
        /** @description A refresh token. */
        RefreshRequest: {
            /** @description The refresh token as issued. */
            refresh_token: string;
        };
        /** @description The details of a new account. */
        RegisterRequest: {
            /**
             * @description The display name. It has a visible character, and neither control characters (line breaks and tabs included) nor bidirectional controls (U+202A to U+202E, U+2066 to U+2069).
             * @example Alice
             */
            display_name?: string;
            /**
             * @description The unique e-mail address.
             * @example alice@example.org
             */
            email: string;
            /**
             * @description The unique handle, converted to lower case.
             * @example alice
             */
            handle: string;
            /**
             * @description The password.
             * @example correct horse battery staple
             */
            password: string;
        };
        /** @description A session of the caller's account. */
        Session: {
            /**
             * Format: date-time
             * @description When the session began, in UTC with milliseconds.
             * @example 2025-11-21T04:40:00.100Z
             */
            created_at: string;
            /** @description Whether the request's access token belongs to this session. */
            current: boolean;
            /**
             * Format: date-time
             * @description When the session began or was last refreshed, in UTC with milliseconds.
             * @example 2025-11-21T04:55:00.100Z
             */
            last_used_at: string;
            /**
             * Format: uuid
             * @description The session's id.
             */
            session_id: string;
            /**
             * @description The `User-Agent` of the request that began the session; null if it had none.
             * @example Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0
             */
            user_agent: string | null;
        };
        /** @description A new session. */
        SessionResponse: components["schemas"]["TokensResponse"] & {
            /** @description The user's own profile. */
            user: components["schemas"]["Profile"];
        };
        /** @description Tokens that let their holder act for a user. */
        TokensResponse: {
            /** @description Token for the header `Authorization: Bearer`. */
            access_token: string;
            /**
             * Format: int64
             * @description Lifetime of the access token, in seconds.
             * @example 900
             */
            expires_in: number;
            /** @description Single-use token for the next pair. */
            refresh_token: string;
            /**
             * @description Always `Bearer`.
             * @example Bearer
             */
            token_type: string;
        };
        /** @description A request that uploads the picture straight to object storage, once, and needs no token. */
        Upload: {
            /**
             * Format: date-time
             * @description When the permission ends, in UTC with milliseconds.
             * @example 2025-11-21T04:40:00.100Z
             */
            expires_at: string;
            /** @description Headers to send, with exactly these values. */
            headers: {
                [key: string]: string;
            };
            /**
             * @description Always `PUT`.
             * @example PUT
             */
            method: string;
            /** @description Where to send it. */
            url: string;
        };
        /** @description A user as embedded in posts, comments and lists. */
        User: {
            /** @description The URL of their picture; null without one. */
            avatar_url: string | null;
            /**
             * @description The display name.
             * @example Alice
             */
            display_name: string;
            /**
             * @description The unique handle.
             * @example alice
             */
            handle: string;
            /**
             * Format: uuid
             * @description The user's id.
             */
            user_id: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stores answer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HealthResponse"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    openapi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OpenAPI 3.1 */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LoginRequest"];
            };
        };
        responses: {
            /** @description The account and new tokens */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionResponse"];
                };
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `failed_passwords`: 60 a minute for each network
             *     - `failed_logins`: 10 a minute for each network and account
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RefreshRequest"];
            };
        };
        responses: {
            /** @description The session has ended */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    refresh: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RefreshRequest"];
            };
        };
        responses: {
            /** @description New tokens */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokensResponse"];
                };
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `refreshes`: 30 a minute for each session
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    register: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RegisterRequest"];
            };
        };
        responses: {
            /** @description The account and its first tokens */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionResponse"];
                };
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The handle, the e-mail address or both are taken; `errors` names them */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `registrations`: 5 a minute for each network
             *     - `failed_passwords`: 60 a minute for each network
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    events: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A stream of events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example event: feed
                     *     data: {"post_id":"0198c0de-0000-7000-8000-000000000001","author_id":"6b3f0d5e-0c1d-4c53-9d0e-3f1a5c2b7e10"}
                     */
                    "text/event-stream": string;
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not served here */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    feed: {
        parameters: {
            query?: {
                /** @description The number of items per page. */
                limit?: number;
                /** @description The `next_cursor` of the previous page; omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of posts */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageShape_Post"];
                };
            };
            /** @description The limit is not a number, or the cursor does not belong to this list. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The limit is out of range. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    announce_media: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AnnounceMediaRequest"];
            };
        };
        responses: {
            /** @description The picture's id, and how to upload it */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AnnounceMediaResponse"];
                };
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `media`: 60 an hour for each user
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This deployment has no object storage */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    media: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The picture's id. */
                media_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The picture */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MediaProgress"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This deployment has no object storage */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    describe_media: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The picture's id. */
                media_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DescribeMediaRequest"];
            };
        };
        responses: {
            /** @description The picture */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MediaProgress"];
                };
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The resource does not belong to the caller. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media are not ready, or shown elsewhere; `errors` names the field. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `media_edits`: 600 an hour for each user
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description This deployment has no object storage */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    notifications: {
        parameters: {
            query?: {
                /** @description The number of items per page. */
                limit?: number;
                /** @description The `next_cursor` of the previous page; omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of notifications */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NotificationPage"];
                };
            };
            /** @description The limit is not a number, or the cursor does not belong to this list. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The limit is out of range. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    mark_read: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MarkReadRequest"];
            };
        };
        responses: {
            /** @description The notifications are read */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_post: {
        parameters: {
            query?: never;
            header?: {
                /** @description 1 to 255 visible ASCII characters */
                "Idempotency-Key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreatePostRequest"];
            };
        };
        responses: {
            /** @description The post */
            201: {
                headers: {
                    /** @description The path of the post */
                    Location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Post"];
                };
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media are not ready, or shown elsewhere; `errors` names the field. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `posts`: 60 an hour for each user
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The post's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The post */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Post"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The post's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The post is deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The resource does not belong to the caller. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `post_deletions`: 600 an hour for each user
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    comments: {
        parameters: {
            query?: {
                /** @description The number of items per page. */
                limit?: number;
                /** @description The `next_cursor` of the previous page; omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path: {
                /** @description The post's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of comments */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageShape_Comment"];
                };
            };
            /** @description The limit is not a number, or the cursor does not belong to this list. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The limit is out of range. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_comment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The post's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateCommentRequest"];
            };
        };
        responses: {
            /** @description The comment */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Comment"];
                };
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `comments`: 120 an hour for each user
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_comment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The post's id. */
                id: string;
                /** @description The comment's id */
                comment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The comment is deleted */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The resource does not belong to the caller. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `comment_deletions`: 1200 an hour for each user
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    like: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The post's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The caller likes the post */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `likes`: 600 an hour for each user
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    unlike: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The post's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The caller does not like the post */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `unlikes`: 6000 an hour for each user
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    likes: {
        parameters: {
            query?: {
                /** @description The number of items per page. */
                limit?: number;
                /** @description The `next_cursor` of the previous page; omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path: {
                /** @description The post's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of users */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageShape_Like"];
                };
            };
            /** @description The limit is not a number, or the cursor does not belong to this list. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The limit is out of range. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    profile: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The profile */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Profile"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_account: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DeleteAccountRequest"];
            };
        };
        responses: {
            /** @description The account is deleted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The resource does not belong to the caller. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `failed_passwords`: 60 a minute for each network
             *     - `failed_logins`: 10 a minute for each network and account
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    edit_profile: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EditProfileRequest"];
            };
        };
        responses: {
            /** @description The updated profile */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Profile"];
                };
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The resource does not belong to the caller. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media are not ready, or shown elsewhere; `errors` names the field. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `profile_edits`: 600 an hour for each user
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    export: {
        parameters: {
            query?: {
                /** @description The number of items per page. */
                limit?: number;
                /** @description The `next_cursor` of the previous page; omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of records */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageShape_Exported"];
                };
            };
            /** @description The limit is not a number, or the cursor does not belong to this list. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The resource does not belong to the caller. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The limit is out of range. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    follow: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The caller follows the user */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Users cannot follow themselves */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `follows`: 600 an hour for each user
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    unfollow: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The caller does not follow the user */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `unfollows`: 6000 an hour for each user
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    followers: {
        parameters: {
            query?: {
                /** @description The number of items per page. */
                limit?: number;
                /** @description The `next_cursor` of the previous page; omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of users */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageShape_Follow"];
                };
            };
            /** @description The limit is not a number, or the cursor does not belong to this list. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The limit is out of range. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    following: {
        parameters: {
            query?: {
                /** @description The number of items per page. */
                limit?: number;
                /** @description The `next_cursor` of the previous page; omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of users */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageShape_Follow"];
                };
            };
            /** @description The limit is not a number, or the cursor does not belong to this list. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The limit is out of range. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    change_password: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChangePasswordRequest"];
            };
        };
        responses: {
            /** @description The password is changed */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The body is not well-formed JSON. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The resource does not belong to the caller. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is larger than 64 KiB. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The `Content-Type` is not JSON. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Some fields are invalid; `errors` names them. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /**
             * @description Too many of these requests; see `Retry-After`.
             *     - `failed_passwords`: 60 a minute for each network
             *     - `failed_logins`: 10 a minute for each network and account
             */
            429: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    story: {
        parameters: {
            query?: {
                /** @description The number of items per page. */
                limit?: number;
                /** @description The `next_cursor` of the previous page; omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of posts */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageShape_Post"];
                };
            };
            /** @description The limit is not a number, or the cursor does not belong to this list. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The limit is out of range. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    sessions: {
        parameters: {
            query?: {
                /** @description The number of items per page. */
                limit?: number;
                /** @description The `next_cursor` of the previous page; omit it for the first page. */
                cursor?: string;
            };
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of sessions */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageShape_Session"];
                };
            };
            /** @description The limit is not a number, or the cursor does not belong to this list. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The resource does not belong to the caller. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The limit is out of range. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    end_session: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A user id, `@handle`, or `me` for the caller.
                 * @example @alice
                 */
                user: string;
                /** @description The session's id. */
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session has ended */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The access token is missing, invalid or expired. */
            401: {
                headers: {
                    /** @description `Bearer` */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The resource does not belong to the caller. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Internal server error. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Temporarily unavailable; see `Retry-After`. */
            503: {
                headers: {
                    /** @description Seconds to wait */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
