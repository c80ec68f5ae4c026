"""Job and the template of jobs as types; the rules are in `job.py` and `job_validation.py`."""

from typing import Annotated

from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.meta import KubeObject, LabelSelector, ObjectMeta
from appliance.api.schema import F, Int32, Int64, Message, Time, always, nullable


class PodFailurePolicyOnExitCodesRequirement(Message):
    """Exit codes that a rule is about."""

    containerName: Annotated[str | None, F(1, "The container that is meant; all unless said.")] = (
        None
    )
    operator: Annotated[str, F(2, "In or NotIn.", required=True)] = always(str)
    values: Annotated[
        list[Int32],
        F(3, "The codes, in order, each once; 0 only with NotIn.", required=True, list_type="set"),
    ] = always(list)


class PodFailurePolicyOnPodConditionsPattern(Message):
    """A condition of a pod that a rule is about."""

    type: Annotated[str, F(1, "Type of the condition.", required=True)] = always(str)
    status: Annotated[str, F(2, "Its status; True unless said.")] = always(str)


class PodFailurePolicyRule(Message):
    """One kind of failure and what follows; one of the two tests is given."""

    action: Annotated[str, F(1, "FailJob, FailIndex, Ignore or Count.", required=True)] = always(
        str
    )
    onExitCodes: Annotated[
        PodFailurePolicyOnExitCodesRequirement | None, F(2, "Fits by exit codes of containers.")
    ] = None
    onPodConditions: Annotated[
        list[PodFailurePolicyOnPodConditionsPattern],
        F(3, "Fits by conditions of the pod.", list_type="atomic"),
    ] = []


class PodFailurePolicy(Message):
    """What failures of pods mean for the job."""

    rules: Annotated[
        list[PodFailurePolicyRule],
        F(1, "The first rule that fits a failed pod counts.", required=True, list_type="atomic"),
    ] = always(list)


class SuccessPolicyRule(Message):
    """Indexes that are enough; at least one of the fields is given."""

    succeededIndexes: Annotated[str | None, F(1, "Indexes that must succeed, such as 1,3-5.")] = (
        None
    )
    succeededCount: Annotated[Int32 | None, F(2, "How many of these, or of all, must succeed.")] = (
        None
    )


class SuccessPolicy(Message):
    """When an indexed job counts as done."""

    rules: Annotated[
        list[SuccessPolicyRule],
        F(1, "Done when one of these holds.", required=True, list_type="atomic"),
    ] = always(list)


class JobSpec(Message):
    """What is wanted of a job."""

    parallelism: Annotated[Int32 | None, F(1, "How many pods may run at a time.")] = None
    completions: Annotated[
        Int32 | None,
        F(2, "How many pods must succeed; unset: one success is enough, any number may run."),
    ] = None
    activeDeadlineSeconds: Annotated[
        Int64 | None, F(3, "Seconds from the start after which the job is ended.")
    ] = None
    podFailurePolicy: Annotated[
        PodFailurePolicy | None, F(11, "What failures of pods mean for the job.")
    ] = None
    successPolicy: Annotated[
        SuccessPolicy | None, F(16, "When an indexed job counts as done before all indexes are.")
    ] = None
    backoffLimit: Annotated[
        Int32 | None, F(7, "How many pods may fail before the job does; 6 unless said.")
    ] = None
    backoffLimitPerIndex: Annotated[
        Int32 | None, F(12, "How many pods of one index may fail before the index does.")
    ] = None
    maxFailedIndexes: Annotated[
        Int32 | None, F(13, "How many indexes may fail before the job does.")
    ] = None
    selector: Annotated[
        LabelSelector | None,
        F(4, "Labels of its pods; made by the server unless manualSelector is set."),
    ] = None
    manualSelector: Annotated[
        bool | None, F(5, "Whether the user chose the selector and the labels.")
    ] = None
    template: Annotated[
        PodTemplateSpec,
        F(6, "What pods are made from; restartPolicy must be Never or OnFailure.", required=True),
    ] = always(PodTemplateSpec)
    ttlSecondsAfterFinished: Annotated[
        Int32 | None, F(8, "Seconds after its end when the job is deleted.")
    ] = None
    completionMode: Annotated[
        str | None, F(9, "NonIndexed, or Indexed: each pod gets a number from 0.")
    ] = None
    suspend: Annotated[
        bool | None, F(10, "Whether pods are held back; the running ones are deleted.")
    ] = None
    podReplacementPolicy: Annotated[
        str | None, F(14, "When a pod is replaced: TerminatingOrFailed, or Failed only.")
    ] = None
    managedBy: Annotated[
        str | None, F(15, "Name of another controller that cares for this job.")
    ] = None


class JobCondition(Message):
    """One aspect of a job: Suspended, Complete, Failed, FailureTarget or SuccessCriteriaMet."""

    type: Annotated[str, F(1, "Which aspect, as one CamelCase word.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastProbeTime: Annotated[Time | None, F(3, "When it was last looked at.")] = nullable()
    lastTransitionTime: Annotated[Time | None, F(4, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(5, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(6, "Why, for people.")] = ""


class UncountedTerminatedPods(Message):
    """Pods that have ended and are not counted yet, so that none is counted twice."""

    succeeded: Annotated[list[str], F(1, "UIDs of those that succeeded.", list_type="set")] = []
    failed: Annotated[list[str], F(2, "UIDs of those that failed.", list_type="set")] = []


class JobStatus(Message):
    """How far a job is."""

    conditions: Annotated[
        list[JobCondition],
        F(1, "How it is, aspect by aspect.", merge=True, merge_key="type", list_type="atomic"),
    ] = []
    startTime: Annotated[
        Time | None, F(2, "When it was started, or started again after it was suspended.")
    ] = None
    completionTime: Annotated[Time | None, F(3, "When it was done.")] = None
    active: Annotated[Int32, F(4, "Pods that are pending or running.")] = 0
    succeeded: Annotated[Int32, F(5, "Pods that succeeded.")] = 0
    failed: Annotated[Int32, F(6, "Pods that failed.")] = 0
    terminating: Annotated[Int32 | None, F(11, "Pods that are being deleted.")] = None
    completedIndexes: Annotated[str, F(7, "Indexes that are done, such as 1,3-5.")] = ""
    failedIndexes: Annotated[str | None, F(10, "Indexes that failed, such as 1,3-5.")] = None
    uncountedTerminatedPods: Annotated[
        UncountedTerminatedPods | None, F(8, "Pods that have ended and are not counted yet.")
    ] = None
    ready: Annotated[Int32 | None, F(9, "Active pods that are ready.")] = None


class Job(KubeObject):
    """Runs pods until so many have succeeded."""

    spec: Annotated[JobSpec, F(2, "What is wanted.")] = always(JobSpec)
    status: Annotated[JobStatus, F(3, "What was seen last.")] = always(JobStatus)


class JobTemplateSpec(Message):
    """What jobs are made from."""

    metadata: Annotated[ObjectMeta, F(1, "Labels, annotations and the like.")] = always(ObjectMeta)
    spec: Annotated[JobSpec, F(2, "What is wanted of each job.")] = always(JobSpec)
