"""The running cloud, called by unmodified boto3 clients and by another user of the machine."""

import gzip
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from reelworks.cloud.credentials import Credentials, read_credentials
from reelworks.cloud.home import Home
from reelworks.cloud.lifecycle import process_lock
from reelworks.cloud.lifecycle.cloud_status import Status
from reelworks.cloud.lifecycle.start_stop import down, up
from tests.cloud import small_stack

NOBODY = 65534


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """A home whose parents everyone may read, as those of a checkout are."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    home = Home(folder / "home", small_stack.write_checkout(folder / "checkout", small_stack.template()))
    yield home
    down(home)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cloud(home: Home) -> Status:
    return up(home)


@pytest.fixture(scope="module")
def ours(home: Home, cloud: Status) -> Credentials:
    return read_credentials(home.aws_credentials)


@pytest.fixture(scope="module")
def bucket(cloud: Status) -> str:
    name = f"access-{uuid.uuid4()}"
    small_stack.aws(cloud, "s3").create_bucket(Bucket=name)
    return name


def s3_of(cloud: Status, ours: Credentials, **config: Any) -> Any:
    """A client as a user makes it."""
    return boto3.client(
        "s3",
        "us-east-1",
        endpoint_url=cloud.aws_endpoint_url,
        aws_access_key_id=ours.access_key_id,
        aws_secret_access_key=ours.secret_access_key,
        config=Config(**config),
    )


# --- boto3's clients work


def test_the_credentials_file_is_one_that_aws_s_clients_read(cloud: Status) -> None:
    code = "import boto3; print(len(boto3.client('s3').list_buckets()['Buckets']))"
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_SHARED_CREDENTIALS_FILE": cloud.aws_credentials_file or "",
        "AWS_ENDPOINT_URL": cloud.aws_endpoint_url or "",
        "AWS_REGION": cloud.region,
    }
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert int(said.stdout) >= 2


@pytest.mark.parametrize("payload_signing", [None, True, False])
def test_s3(cloud: Status, ours: Credentials, bucket: str, payload_signing: bool | None) -> None:
    s3 = s3_of(cloud, ours, s3={"payload_signing_enabled": payload_signing, "addressing_style": "path"})
    key = "a folder/ünï+code~(1)&=%.bin"
    s3.put_object(Bucket=bucket, Key=key, Body=io.BytesIO(b"film"), Metadata={"title": "a  b"})
    assert s3.get_object(Bucket=bucket, Key=key, Range="bytes=1-2")["Body"].read() == b"il"
    assert s3.head_object(Bucket=bucket, Key=key)["Metadata"] == {"title": "a  b"}
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix="a folder/ü")["Contents"]] == [key]
    large = os.urandom(9 << 20)
    s3.upload_fileobj(io.BytesIO(large), bucket, "large")  # in parts
    assert s3.get_object(Bucket=bucket, Key="large")["Body"].read() == large
    s3.put_object(Bucket=bucket, Key="small", Body=b"x", ChecksumAlgorithm="SHA256")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    s3.put_object(Bucket=bucket, Key="zipped", Body=gzip.compress(b"x"), ContentEncoding="gzip")
    assert gzip.decompress(s3.get_object(Bucket=bucket, Key="zipped")["Body"].read()) == b"x"
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": "copy"}, {"Key": "zipped"}]})


@pytest.mark.parametrize("config", [{}, {"signature_version": "s3v4"}])
def test_presigned_links_and_forms(
    cloud: Status, ours: Credentials, bucket: str, config: dict[str, str]
) -> None:
    """The default is a link of version 2 in us-east-1."""
    s3 = s3_of(cloud, ours, s3={"addressing_style": "path"}, **config)
    where = {"Bucket": bucket, "Key": "linked/ä b.mp4"}
    write = s3.generate_presigned_url("put_object", where, ExpiresIn=60)
    assert httpx.put(write, content=b"film").status_code == 200
    read = s3.generate_presigned_url("get_object", where, ExpiresIn=60)
    assert httpx.get(read, headers={"Range": "bytes=0-1"}).content == b"fi"
    assert httpx.get(write).status_code == 403
    assert httpx.put(read, content=b"evil").status_code == 403
    assert httpx.get(read.replace("linked", "other")).status_code == 403
    made = s3.generate_presigned_post(bucket, "posted", Conditions=[["content-length-range", 1, 10]])
    answer = httpx.post(made["url"], data=made["fields"], files={"file": b"film"})
    assert answer.status_code == 204, answer.text
    assert s3.get_object(Bucket=bucket, Key="posted")["Body"].read() == b"film"
    other = {**made["fields"], "key": "elsewhere"}
    assert httpx.post(made["url"], data=other, files={"file": b"film"}).status_code == 403
    large = httpx.post(made["url"], data=made["fields"], files={"file": b"x" * 11})
    assert (large.status_code, "EntityTooLarge" in large.text) == (400, True)


def test_a_link_names_the_file_that_is_saved(cloud: Status, ours: Credentials, bucket: str) -> None:
    s3 = s3_of(cloud, ours, s3={"addressing_style": "path"}, signature_version="s3v4")
    s3.put_object(Bucket=bucket, Key="named", Body=b"film")
    named = {"Bucket": bucket, "Key": "named", "ResponseContentDisposition": 'attachment; filename="a b+c"'}
    answer = httpx.get(s3.generate_presigned_url("get_object", named, ExpiresIn=60))
    assert answer.headers["content-disposition"] == 'attachment; filename="a b+c"'


def test_other_services(cloud: Status) -> None:
    def aws(service: str) -> Any:
        return small_stack.aws(cloud, service)

    queue = aws("sqs").create_queue(QueueName="access")["QueueUrl"]
    aws("sqs").send_message(QueueUrl=queue, MessageBody="a bee & a wasp")
    assert aws("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "a bee & a wasp"
    arn = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    topic = aws("sns").create_topic(Name="access")["TopicArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    aws("sns").publish(TopicArn=topic, Message="told")
    (told,) = aws("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    assert json.loads(told["Body"])["Message"] == "told"
    table = cloud.outputs["ApiKeysTable"]
    item = {"pk": {"S": "ä"}, "sk": {"S": "b"}}
    aws("dynamodb").put_item(TableName=table, Item=item)
    assert aws("dynamodb").get_item(TableName=table, Key=item)["Item"] == item
    aws("dynamodb").delete_item(TableName=table, Key=item)
    machine = aws("stepfunctions").create_state_machine(
        name="access",
        definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::000000000000:role/any",
    )["stateMachineArn"]
    assert aws("stepfunctions").start_execution(stateMachineArn=machine, input="{}")["executionArn"]
    function = cloud.outputs["UpkeepFunction"]  # it writes to S3, with a function's own credentials
    assert "FunctionError" not in aws("lambda").invoke(FunctionName=function, Payload=b'{"a": 1}')
    whole_arn = aws("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    assert "FunctionError" not in aws("lambda").invoke(FunctionName=whole_arn, Payload=b'{"a": 2}')
    assert {"a": 2} in [note["event"] for note in small_stack.notes(aws("s3"))]
    aws("cloudwatch").put_metric_data(  # sent with gzip
        Namespace="N", MetricData=[{"MetricName": f"m{number}", "Value": 1.0} for number in range(400)]
    )
    assert aws("events").list_event_buses()["EventBuses"]
    assert aws("sts").get_caller_identity()["Account"] == "000000000000"
    assert aws("apigateway").get_rest_apis()["items"]
    assert aws("logs").describe_log_groups()["logGroups"]
    assert aws("cloudformation").describe_stacks()["Stacks"]
    assert "projects" in aws("codebuild").list_projects()


def test_users_sign_in_and_nobody_else_does(cloud: Status) -> None:
    cognito = small_stack.aws(cloud, "cognito-idp")
    pool = cognito.create_user_pool(PoolName="access")["UserPool"]["Id"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="c",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool, Username="ann", TemporaryPassword="First-1!")
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    public = boto3.client("cognito-idp", "us-east-1", endpoint_url=cloud.aws_endpoint_url, config=config)

    def sign_in(password: str) -> Any:
        return public.initiate_auth(
            ClientId=client,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "ann", "PASSWORD": password},
        )

    def answer(session: str) -> Any:
        return public.respond_to_auth_challenge(
            ClientId=client,
            ChallengeName="NEW_PASSWORD_REQUIRED",
            Session=session,
            ChallengeResponses={"USERNAME": "ann", "NEW_PASSWORD": "Second-2!"},
        )

    def refresh(token: str) -> Any:
        return public.initiate_auth(
            ClientId=client, AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters={"REFRESH_TOKEN": token}
        )

    with pytest.raises(ClientError, match="NotAuthorizedException"):
        sign_in("wrong")
    with pytest.raises(ClientError, match="MissingAuthenticationTokenException"):
        answer("guessed-session-of-some-length")
    tokens = answer(sign_in("First-1!")["Session"])["AuthenticationResult"]
    assert refresh(tokens["RefreshToken"])["AuthenticationResult"]["AccessToken"]
    with pytest.raises(ClientError, match="MissingAuthenticationTokenException"):
        refresh(tokens["RefreshToken"] + "x")
    with pytest.raises(ClientError, match="MissingAuthenticationTokenException"):
        public.confirm_forgot_password(
            ClientId=client, Username="ann", ConfirmationCode="1", Password="Third-3!"
        )
    keys = httpx.get(f"{cloud.aws_endpoint_url}/{pool}/.well-known/jwks.json")
    assert (keys.status_code, len(keys.json()["keys"])) == (200, 2)


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("s3", "list_buckets", "SignatureDoesNotMatch"),
        ("sns", "list_topics", "SignatureDoesNotMatch"),
        ("sqs", "list_queues", "InvalidSignatureException"),
        ("dynamodb", "list_tables", "InvalidSignatureException"),
        ("lambda", "list_functions", "InvalidSignatureException"),
        ("stepfunctions", "list_state_machines", "InvalidSignatureException"),
        ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
        ("cloudformation", "list_stacks", "SignatureDoesNotMatch"),
        ("cognito-idp", "list_identity_providers", "InvalidSignatureException"),
        ("polly", "describe_voices", "InvalidSignatureException"),
    ],
)
def test_a_wrong_secret_is_reported_as_on_aws(
    cloud: Status, ours: Credentials, service: str, call: str, code: str
) -> None:
    client: Any = boto3.client(  # type: ignore[call-overload]
        service,
        "us-east-1",
        endpoint_url=cloud.aws_endpoint_url,
        aws_access_key_id=ours.access_key_id,
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    arguments = {"UserPoolId": "us-east-1_a"} if service == "cognito-idp" else {}
    with pytest.raises(ClientError) as refused:
        getattr(client, call)(**arguments)
    error = refused.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == (code, 403)


# --- another user of this machine

# Reads requests as JSON and writes their statuses, then which of the given paths it can read.
_STRANGER = """
import http.client, json, os, sys
asked = json.load(sys.stdin)
assert os.getuid() == asked["uid"]
statuses = []
for method, path, headers, body in asked["requests"]:
    connection = http.client.HTTPConnection("127.0.0.1", asked["port"], timeout=30)
    connection.request(method, path, body, headers)
    statuses.append(connection.getresponse().status)
    connection.close()
readable = []
for path in asked["paths"]:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
        readable.append(path)
    except OSError:
        pass
secrets = [line for line in asked["secrets"]]
seen = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("cmdline", "environ"):
        try:
            content = open(f"/proc/{pid}/{name}", "rb").read()
        except OSError:
            continue
        seen += [secret for secret in secrets if secret.encode() in content]
print(json.dumps({"statuses": statuses, "readable": readable, "seen": seen}))
"""


def stranger(cloud: Status, **asked: Any) -> dict[str, Any]:
    """What another user gets. It runs the system's Python, as it may not read this one."""
    if os.geteuid() != 0:
        pytest.skip("only root can run a program as another user")
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")
    if python is None:
        pytest.skip("there is no Python that another user can run")
    port = int((cloud.aws_endpoint_url or "").rpartition(":")[2])
    asked = {"requests": [], "paths": [], "secrets": [], "uid": NOBODY, "port": port, **asked}
    said = subprocess.run(
        [python, "-I", "-S", "-c", _STRANGER],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        env={},
        check=True,
    )
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def test_another_user_gets_nothing_from_the_cloud(cloud: Status, bucket: str) -> None:
    function = cloud.outputs["UpkeepFunction"]
    api = cloud.outputs["RestApiId"]
    stale = (
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature="
    )
    json_target = {
        "X-Amz-Target": "DynamoDB_20120810.ListTables",
        "Content-Type": "application/x-amz-json-1.0",
    }
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    requests = [
        ("GET", "/", {}, None),
        ("GET", f"/{bucket}?list-type=2", {}, None),
        ("GET", f"/{bucket}/large", {}, None),
        ("PUT", f"/{bucket}/planted", {}, "x"),
        ("DELETE", f"/{bucket}/large", {}, None),
        ("POST", "/", json_target, "{}"),
        ("POST", "/", form, "Action=ListQueues"),
        ("GET", "/?Action=ListTopics", {}, None),
        ("POST", f"/2015-03-31/functions/{function}/invocations", {}, '{"restore": true}'),
        ("POST", f"/_aws/execute-api/{api}/live/v1/videos", {}, "{}"),
        ("GET", f"/restapis/{api}/live/_user_request_/v1/videos", {}, None),
        ("GET", "/_aws/lambda-url/x/", {}, None),
        ("GET", "/_aws/sqs/messages?QueueUrl=x", {}, None),
        ("GET", "/", {"Authorization": stale.format("s3") + "0" * 64}, None),
        ("POST", "/", {**json_target, "Authorization": stale.format("dynamodb") + "0" * 64}, "{}"),
        ("POST", "/oauth2/token", form, "grant_type=refresh_token"),
        ("POST", "/login", form, "username=a"),
        ("GET", "/oauth2/authorize", {}, None),
        ("OPTIONS", f"/{bucket}", {}, None),
        ("POST", f"/{bucket}", {"Content-Type": "multipart/form-data; boundary=b"}, "--b--"),
    ]
    found = stranger(cloud, requests=requests)
    assert dict(zip([request[:2] for request in requests], found["statuses"], strict=True)) == {
        request[:2]: 403 for request in requests
    }


def test_another_user_can_read_no_file_and_no_secret(home: Home, cloud: Status, ours: Credentials) -> None:
    assert cloud.api_key
    paths = [home.folder, *home.folder.rglob("*")]
    found = stranger(
        cloud,
        paths=[str(path) for path in paths if not path.is_symlink()],
        secrets=[ours.secret_access_key, cloud.api_key],
    )
    assert (found["readable"], found["seen"]) == ([], [])


def test_everything_in_the_home_is_the_owner_s_alone(home: Home, cloud: Status) -> None:
    pool = small_stack.aws(cloud, "cognito-idp").create_user_pool(PoolName="keys")["UserPool"]["Id"]
    assert httpx.get(f"{cloud.aws_endpoint_url}/{pool}/.well-known/jwks.json").status_code == 200
    assert list((home.scratch / "state").rglob(f"{pool}-*.pem"))  # what tokens are signed with
    assert list(home.folder.rglob("*.zip"))  # the functions' code
    modes = {path: path.lstat().st_mode for path in [home.folder, *home.folder.rglob("*")]}
    open_to_others = {
        str(path): oct(mode) for path, mode in modes.items() if mode & 0o077 and not stat.S_ISLNK(mode)
    }
    assert open_to_others == {}


def test_an_older_home_is_made_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path)
    home.create()
    old = home.s3 / "000000000000" / "films"
    old.mkdir(parents=True, mode=0o755)
    (old / "film").write_bytes(b"film")
    (old / "film").chmod(0o644)
    program = home.scratch / "program"
    program.touch()
    program.chmod(0o755)
    outside = tmp_path / "outside"
    outside.touch()
    outside.chmod(0o644)
    (home.models / "mine").symlink_to(outside)
    home.make_private()
    kept = [path.stat().st_mode & 0o777 for path in (old, old / "film", program, outside)]
    assert kept == [0o700, 0o600, 0o700, 0o644]


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="sockets are listed by Linux only")
def test_the_cloud_listens_on_one_port_only(home: Home, cloud: Status) -> None:
    process = process_lock.running(home)
    assert process
    sockets = {os.readlink(fd) for fd in Path(f"/proc/{process.pid}/fd").iterdir() if fd.is_symlink()}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                listening.append(int(fields[1].rpartition(":")[2], 16))
    assert listening == [process.port]


def test_the_secret_is_made_once_and_not_logged(home: Home, cloud: Status, ours: Credentials) -> None:
    down(home)
    assert read_credentials(Path(up(home).aws_credentials_file or "")) == ours
    assert len(ours.secret_access_key) == 40
    for log in home.folder.rglob("*.log*"):
        assert ours.secret_access_key not in log.read_text(errors="replace")
