//! Buckets, the event of an upload, and the CDN.

use deploy_checks::{objects, referent};
use domain::limits;
use ports::blobs::Bucket;
use serde_json::{Value, json};

use super::template;

const UPLOADS: &str = "UploadsBucket";
const MEDIA: &str = "MediaBucket";
/// The longest time for which a deleted picture may stay in the CDN, in seconds.
const LEAVES_WITHIN: u64 = 60;

#[test]
fn buckets_are_private_encrypted_and_versioned_in_prod() {
    let template = template();
    let mut buckets = template.resources_of_type("AWS::S3::Bucket");
    buckets.sort_unstable();
    assert_eq!(buckets, [MEDIA, UPLOADS]);
    for bucket in buckets {
        let properties = template.properties(bucket);
        let blocked = properties["PublicAccessBlockConfiguration"].as_object().unwrap();
        assert!(blocked.len() == 4 && blocked.values().all(|is_blocked| is_blocked == true), "{bucket}");
        assert_eq!(properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"], "BucketOwnerEnforced", "{bucket}");
        let encryption = &properties["BucketEncryption"]["ServerSideEncryptionConfiguration"];
        assert_eq!(encryption[0]["ServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256", "{bucket}");
        let in_prod = json!({"Fn::If": ["IsProd", {"Status": "Enabled"}, {"Ref": "AWS::NoValue"}]});
        assert_eq!(properties["VersioningConfiguration"], in_prod, "{bucket}");
        assert_eq!(properties["BucketName"], Value::Null, "{bucket}: names are global");
        let (resource, kept) = (&template.0["Resources"][bucket], json!({"Fn::If": ["IsProd", "Retain", "Delete"]}));
        assert_eq!((&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]), (&kept, &kept), "{bucket}");
    }
}

#[test]
fn buckets_accept_only_tls() {
    let template = template();
    for (policy, bucket) in [("UploadsBucketPolicy", UPLOADS), ("MediaBucketPolicy", MEDIA)] {
        assert_eq!(referent(&template.properties(policy)["Bucket"]), Some(bucket));
        let statements = template.properties(policy)["PolicyDocument"]["Statement"].as_array().unwrap();
        let denies = statements.iter().find(|statement| statement["Effect"] == "Deny").unwrap();
        assert_eq!(denies["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
        assert_eq!((&denies["Principal"], &denies["Action"]), (&json!("*"), &json!("s3:*")));
        let everything = denies["Resource"].as_array().unwrap();
        assert_eq!((referent(&everything[0]), objects(&everything[1])), (Some(bucket), Some((bucket, "*"))));
    }
}

#[test]
fn only_the_cdn_reads_and_only_served_pictures() {
    let template = template();
    let policies = template.resources_of_type("AWS::S3::BucketPolicy");
    let statements = policies
        .iter()
        .flat_map(|policy| template.properties(policy)["PolicyDocument"]["Statement"].as_array().unwrap());
    let allowed: Vec<&Value> = statements.filter(|statement| statement["Effect"] == "Allow").collect();
    let [reads] = allowed[..] else { panic!("{allowed:?}") };
    assert_eq!(reads["Principal"], json!({"Service": "cloudfront.amazonaws.com"}));
    assert_eq!(reads["Action"], "s3:GetObject", "listing would show every picture");
    let served = format!("{}*", Bucket::SERVED);
    assert_eq!(objects(&reads["Resource"]), Some((MEDIA, served.as_str())));
    let source = reads["Condition"]["StringEquals"]["AWS:SourceArn"]["Fn::Sub"].as_str().unwrap();
    assert!(source.ends_with(":distribution/${MediaDistribution}"), "{source}");
}

#[test]
fn uploads_expire_after_a_day() {
    let template = template();
    let rules = template.properties(UPLOADS)["LifecycleConfiguration"]["Rules"].as_array().unwrap();
    let [rule] = &rules[..] else { panic!("{rules:?}") };
    assert_eq!((&rule["Status"], &rule["ExpirationInDays"]), (&json!("Enabled"), &json!(1)));
    assert_eq!(rule["NoncurrentVersionExpiration"]["NoncurrentDays"], 1);
    assert_eq!(embedded::blobs::UPLOADS_AGE.as_secs(), 24 * 3_600);
    assert!(limits::UNATTACHED_MEDIA_TTL <= embedded::blobs::UPLOADS_AGE);
}

#[test]
fn pictures_become_cheaper_and_never_expire() {
    let template = template();
    let rules = template.properties(MEDIA)["LifecycleConfiguration"]["Rules"].as_array().unwrap();
    assert!(rules.iter().all(|rule| rule["ExpirationInDays"] == Value::Null), "{rules:?}");
    let cheaper = rules.iter().find_map(|rule| rule["Transitions"].as_array()).unwrap();
    assert_eq!(cheaper[0], json!({"StorageClass": "STANDARD_IA", "TransitionInDays": 90}));
}

#[test]
fn every_upload_is_announced_on_media_q() {
    let template = template();
    let events = &template.properties(UPLOADS)["NotificationConfiguration"]["QueueConfigurations"];
    assert_eq!(events.as_array().map(Vec::len), Some(1));
    // A presigned upload is a `Put`; nothing else writes to the bucket.
    assert_eq!((&events[0]["Event"], referent(&events[0]["Queue"])), (&json!("s3:ObjectCreated:Put"), Some("MediaQ")));
    assert_eq!(events[0]["Filter"], Value::Null);
    let policy = template.properties("UploadsToMediaQ");
    let statement = &policy["PolicyDocument"]["Statement"][0];
    assert_eq!((referent(&policy["Queues"][0]), referent(&statement["Resource"])), (Some("MediaQ"), Some("MediaQ")));
    assert_eq!(statement["Principal"], json!({"Service": "s3.amazonaws.com"}));
    assert_eq!(statement["Condition"]["StringEquals"]["aws:SourceAccount"], json!({"Ref": "AWS::AccountId"}));
    // S3 checks the permission when the bucket is created.
    assert_eq!(template.0["Resources"][UPLOADS]["DependsOn"], "UploadsToMediaQ");
}

#[test]
fn browsers_may_upload_from_the_apis_origins() {
    let template = template();
    let cors = &template.properties(UPLOADS)["CorsConfiguration"]["Fn::If"];
    assert_eq!((&cors[0], &cors[2]), (&json!("HasCorsOrigins"), &json!({"Ref": "AWS::NoValue"})));
    let rule = &cors[1]["CorsRules"][0];
    assert_eq!((&rule["AllowedMethods"], &rule["AllowedOrigins"]), (&json!(["PUT"]), &json!({"Ref": "CorsOrigins"})));
    assert_eq!(rule["AllowedHeaders"], json!(["content-type", "if-none-match"]));
}

#[test]
fn a_deleted_picture_leaves_the_cdn_within_a_minute() {
    let template = template();
    let caching = &template.properties("MediaCaching")["CachePolicyConfig"];
    for bound in ["MinTTL", "DefaultTTL", "MaxTTL"] {
        assert!(caching[bound].as_u64().unwrap() < LEAVES_WITHIN, "{bound}");
    }
    let cdn = &template.properties("MediaDistribution")["DistributionConfig"];
    assert_eq!(referent(&cdn["DefaultCacheBehavior"]["CachePolicyId"]), Some("MediaCaching"));
    assert_eq!(cdn["CacheBehaviors"], Value::Null, "another behaviour may cache for longer");
    let errors = cdn["CustomErrorResponses"].as_array().unwrap();
    assert!(errors.iter().all(|error| error["ErrorCachingMinTTL"].as_u64().unwrap() < LEAVES_WITHIN));
    // A header of the CDN would also make errors immutable, so the objects carry it.
    let headers = &template.properties("MediaHeaders")["ResponseHeadersPolicyConfig"];
    assert_eq!(headers["CustomHeadersConfig"], Value::Null);
    assert!(Bucket::Media.cache_control().is_some_and(|value| value.contains("immutable")));
}

#[test]
fn the_cdn_serves_over_https_with_current_protocols() {
    let template = template();
    let cdn = &template.properties("MediaDistribution")["DistributionConfig"];
    assert_eq!((&cdn["HttpVersion"], &cdn["IPV6Enabled"]), (&json!("http2and3"), &json!(true)));
    let behaviour = &cdn["DefaultCacheBehavior"];
    assert_eq!(behaviour["ViewerProtocolPolicy"], "redirect-to-https");
    assert_eq!((&behaviour["Compress"], &behaviour["AllowedMethods"]), (&json!(true), &json!(["GET", "HEAD"])));
    assert_eq!(referent(&behaviour["ResponseHeadersPolicyId"]), Some("MediaHeaders"));
    assert_eq!(referent(&cdn["Origins"][0]["OriginAccessControlId"]), Some("MediaAccess"));
    let access = &template.properties("MediaAccess")["OriginAccessControlConfig"];
    assert_eq!((&access["SigningBehavior"], &access["SigningProtocol"]), (&json!("always"), &json!("sigv4")));
}
